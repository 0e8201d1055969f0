"""Let the random program generator write networks: ``python examples/generate_programs.py [COUNT]``.

These programs are what the embedded model was trained on. Each is a whole file under a header line that names
its task, its shapes, its parameter bucket and its style.
"""

from __future__ import annotations

import random
import sys

from netwright.memory.novelty import NoveltyIndex
from netwright.tools.generators.headers import Header
from netwright.tools.generators.programs import random_program


def main(count: int) -> None:
    rng = random.Random(0)
    wish = Header(in_shape=(1, 8, 8), classes=10)  # bucket and style are left to the generator
    known = NoveltyIndex()
    for number in range(count):
        program = random_program(rng, wish)
        nearest = known.nearest(program.source)
        known.add(str(number), program.source)
        similar = f"{nearest.jaccard:.2f} to program {nearest.key}" if nearest else "nothing before it"
        print(f"{number}: {program.style}, {program.params} parameters; similarity {similar}")
    print(program.text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
