"""JSON Schemas for servers of models that hold their models to them by a grammar."""

from pydantic_ai.profiles import JsonSchemaTransformer

# A grammar that repeats a character more often is refused by llama.cpp, and then silently holds for nothing.
MAX_REPEATED = 1_000


class WithoutLongTexts(JsonSchemaTransformer):
    """Leaves out bounds that no grammar takes; the tool's own schema is checked before it is called."""

    def transform(self, schema: dict[str, object]) -> dict[str, object]:
        for bound in ("maxLength", "minLength", "maxItems", "minItems"):
            value = schema.get(bound)
            if isinstance(value, int) and value > MAX_REPEATED:
                del schema[bound]
        return schema
