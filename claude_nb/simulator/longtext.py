"""A very long answer, whose every line is true."""

from functools import cache


@cache
def long_text() -> str:
    """Return a very long answer: the numbers from 2 on, each with its factors."""
    chapters = ["# The first numbers, taken apart"]
    for number in range(2, 252):
        parts = factors(number)
        product = r" \cdot ".join(map(str, parts))
        prime = len(parts) == 1
        chapters.append(
            f"## {number}\n\n"
            + (f"**{number}** is prime. " if prime else f"{number} is ${number} = {product}$. ")
            + f"Its square is {number**2:,}, and in binary it is written `{number:b}`."
        )
        if number % 10 == 0:
            multiples = "\n".join(f"| {k} | {k * number:,} |" for k in range(1, 6))
            chapters.append(f"| times | {number} |\n|--:|--:|\n{multiples}")
        if number % 15 == 0:
            divisors = [d for d in range(1, number + 1) if number % d == 0]
            chapters.append("Its divisors:\n\n" + "\n".join(f"- {d}" for d in divisors))
        if number % 25 == 0:
            chapters.append(
                f"```python\nassert {' * '.join(map(str, parts))} == {number}\n"
                f'print(f"{{{number}:b}}")  # {number:b}\n```'
            )
    return "\n\n".join(chapters)


def factors(number: int) -> list[int]:
    """Return the prime factors of a number, the smallest first."""
    found, divisor = [], 2
    while number > 1:
        if number % divisor:
            divisor += 1
        else:
            found.append(divisor)
            number //= divisor
    return found
