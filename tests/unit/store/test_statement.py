"""`:name` becomes `$1`, and nothing else does."""

import pytest

from rota_store.statement import positional


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1"),
        ("SELECT (:a),:b", "SELECT ($1),$2"),
        ("SELECT :a::text, x::b, '{}'::jsonb || :b", "SELECT $1::text, x::b, '{}'::jsonb || $2"),
        ("SELECT 'it''s :no', :a, ':b', :b", "SELECT 'it''s :no', $1, ':b', $2"),
        (r"SELECT E'\':no', e'\\', :a, :b", r"SELECT E'\':no', e'\\', $1, $2"),
        (r"SELECT 'C:\', :a, DATE'1:30', :b", r"SELECT 'C:\', $1, DATE'1:30', $2"),
        ('SELECT ":no" AS "a "":b", :a, :b', 'SELECT ":no" AS "a "":b", $1, $2'),
        ("SELECT $$ :no $$, $x$ $$ :no $x$, :a, :b", "SELECT $$ :no $$, $x$ $$ :no $x$, $1, $2"),
        ("SELECT :a -- it's :no\n, :b", "SELECT $1 -- it's :no\n, $2"),
        ("SELECT :a /* it's\n:no */ , :b", "SELECT $1 /* it's\n:no */ , $2"),
        (
            "SELECT x[1:2], x[i:j], d ? 'a', d ?| :a, d @> :b",
            "SELECT x[1:2], x[i:j], d ? 'a', d ?| $1, d @> $2",
        ),
    ],
)
def test_a_parameter_is_found_where_it_is_one(statement: str, expected: str) -> None:
    assert positional(statement, {"b": 2, "a": 1}) == (expected, [1, 2])


def test_a_statement_without_parameters_stays_as_it_is() -> None:
    assert positional("SELECT now()", None) == ("SELECT now()", [])


def test_a_parameter_without_a_value_is_an_error_that_does_not_tell_the_values() -> None:
    with pytest.raises(TypeError, match=r"without a value: \['b'\]") as caught:
        positional("SELECT :a, :b", {"a": "secret", "c": "secret"})
    assert "secret" not in str(caught.value)
