"""Made-up repositories of many modules, for measuring what one changed file costs: the same for the same numbers.

Modules lie in packages of twenty. Each has a function, a class and a constant of its own, and uses up to three modules
that come before it in its package, and one of the package before. No two have lines in common, so that nothing but the
number of modules is measured.
"""

from __future__ import annotations

from collections.abc import Iterator

IN_PACKAGE = 20
_MODULE = '''"""Part {n} of the made-up application."""

from __future__ import annotations

{imports}

LIMIT_{n} = {n}


class Record{n}:
    """Keeps the values of part {n}."""

    def __init__(self, name_{n}: str, amount_{n}: int) -> None:
        self.name_{n} = name_{n}
        self.amount_{n} = amount_{n}

    def raised_{n}(self, by_{n}: int) -> Record{n}:
        """A record with a larger amount, {n} at the least."""
        amount_{n} = max(self.amount_{n} + by_{n}, LIMIT_{n})
        return Record{n}(self.name_{n}, amount_{n})

    def shown_{n}(self) -> str:
        """For people who ask about part {n}."""
        return f"{{self.name_{n}}} has {{self.amount_{n}}} of {n}"


def total_{n}(records_{n}: list[Record{n}]) -> int:
    """The sum of part {n}, and of what it builds upon."""
    found_{n} = sum(each_{n}.amount_{n} for each_{n} in records_{n})
    for record_{n} in records_{n}:
        if record_{n}.shown_{n}().startswith("x{n}"):
            found_{n} -= LIMIT_{n}
{uses}
    return found_{n}
'''


def modules(count: int) -> dict[str, str]:
    """The texts of ``count`` modules and of their packages, by path."""
    files = {"app/__init__.py": '"""A made-up application."""\n'}
    for number in range(count):
        package = number // IN_PACKAGE
        files[f"app/part{package:04}/__init__.py"] = f'"""Package {package}."""\n'
        used = list(_used(number))
        imports = "\n".join(f"from app.part{n // IN_PACKAGE:04} import module{n:05}" for n in used) or "import math"
        added = [f"module{n:05}.total_{n}([])" for n in used] or [f"math.floor({number}.5)"]
        uses = "\n".join(f"    found_{number} += {one}" for one in added)
        files[path_of(number)] = _MODULE.format(n=number, imports=imports, uses=uses)
    return files


def path_of(number: int) -> str:
    """Where a module lies."""
    return f"app/part{number // IN_PACKAGE:04}/module{number:05}.py"


def _used(number: int) -> Iterator[int]:
    package, place = divmod(number, IN_PACKAGE)
    first = package * IN_PACKAGE
    yield from sorted({first + place // 2, first + place // 3, number - 1} & set(range(first, number)))
    if package and place == 0:
        yield first - IN_PACKAGE
