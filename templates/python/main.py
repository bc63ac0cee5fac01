"""Draws a maze that is different each time you press Run."""

import random

WIDTH, HEIGHT = 24, 10  # Try a bigger maze!


def carve_maze(width, height):
    """Return the set of open passages: pairs of neighbouring cells."""
    passages = set()
    visited = {(0, 0)}
    path = [(0, 0)]
    while path:
        x, y = path[-1]
        neighbours = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        choices = [
            (a, b)
            for a, b in neighbours
            if 0 <= a < width and 0 <= b < height and (a, b) not in visited
        ]
        if choices:
            following = random.choice(choices)
            passages.add(frozenset([(x, y), following]))
            visited.add(following)
            path.append(following)
        else:
            path.pop()  # A dead end: walk back to the last crossing.
    return passages


def draw_maze(passages, width, height):
    print("┏" + "━━━" * width + "┓")
    for y in range(height):
        line = "┃"
        for x in range(width):
            open_below = frozenset([(x, y), (x, y + 1)]) in passages
            open_right = frozenset([(x, y), (x + 1, y)]) in passages
            cell = "  " if open_below or y == height - 1 else "__"
            line += cell + (" " if open_right or x == width - 1 else "|")
        print(line + "┃")
    print("┗" + "━━━" * width + "┛")


draw_maze(carve_maze(WIDTH, HEIGHT), WIDTH, HEIGHT)
print(f"A maze with {WIDTH * HEIGHT} rooms. Every room can be reached!")

# What next?
#  - Mark the way from the top left to the bottom right.
#  - numpy, pandas and requests are there: just import them.
