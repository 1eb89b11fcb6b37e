"""The same agent without Rota: what its runs take in the agent runtime alone.

Run as `python -m tests.bench.bare URL RUNS`; prints the CPU time of one run in ms.
"""

import asyncio
import sys
import time

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

AT_ONCE = 100
WARMING = 50


async def run(url: str, runs: int) -> float:
    model = OpenAIChatModel("wait-0", provider=OpenAIProvider(base_url=url, api_key="none"))
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with free:
            await Agent(model, instructions="Be brief.").run("Do it.")

    await asyncio.gather(*(one() for _ in range(WARMING)))
    before = time.process_time()
    await asyncio.gather(*(one() for _ in range(runs)))
    return (time.process_time() - before) / runs * 1000


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1], int(sys.argv[2]))))
