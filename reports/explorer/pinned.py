"""What the view of curves shows of a pinned run: training images, and what its network says."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.explorer.answers import Answers, answers_of, picture_shape, pictures_of
from reports.explorer.packing import packed_bytes
from reports.explorer.sprites import Sprites, levels_of
from reports.read import Records
from study.records.predictions import tables_by_run

SHOWN = 20  # images of a run
MOST_BYTES = 40_000  # of images, compressed
HEAD = 4  # fields of a run before those of its images
EMPTY = 2**16 - 1  # stands where a run has fewer images
STEPS = 100  # from a probability of 0 to 1


class _Candidates(NamedTuple):
    """A run's examples that have an image: wrong ones first, then those that were learned last."""

    answers: Answers
    sheet: int
    number: NDArray[np.int64]  # of each in the answers
    pixels: list[NDArray[np.uint8]]


def all_answers(records: Records, runs: Collection[str], sprites: Sprites) -> dict[str, Any]:
    """Return some training images of each run, and what its network says of them at the end.

    Parameters
    ----------
    runs
        The runs' ids, in the order of ``values``.
    sprites
        Where the images go.

    Returns
    -------
    answers
        ``shown``, how many images a run has at most; ``steps``, from a probability of 0 to 1;
        ``off``, the studies that keep no answers; ``lost``, the places in ``runs`` of networks
        whose numbers were no longer finite at the end, of which nothing is shown; and ``values``,
        16-bit numbers packed as [field, run]. A run's fields are how many of its answers are kept,
        how many of these have an image, the number of its picture, and whether an image was skipped
        because the page has no room for it; then, of each image shown, its place, the label trained
        on, what the network says at the end, each 0 where it is as the one before, the first as the
        true label, and else one more than the label; and the probability of the label trained on.
    """
    rows = records.runs.set_index("run", drop=False).loc[list(runs)].to_dict("index")
    found = dict(_read(records, runs))
    candidates = dict(_with_images(records, rows, found, sprites))
    _fill(sprites, candidates.values())
    packed = [_packed(found.get(str(run)), candidates.get(str(run)), sprites) for run in rows]
    fields = np.stack(packed).T.clip(0, EMPTY).astype("<u2")
    planes = np.ascontiguousarray(fields).view(np.uint8).reshape(-1, 2).T
    return {
        "shown": SHOWN,
        "steps": STEPS,
        "empty": EMPTY,
        "off": _off(records),
        "lost": [place for place, run in enumerate(rows) if run in found and found[run].lost],
        "values": packed_bytes(planes.tobytes()),
    }


def _off(records: Records) -> list[str]:
    """Return the studies whose config says that answers are not kept."""
    return [
        name
        for name, folder in records.folders.items()
        if records.studies[folder].get("keep_predictions") is False
    ]


def _read(records: Records, runs: Collection[str]) -> Iterable[tuple[str, Answers]]:
    for folder in records.studies:
        for run, table in tables_by_run(Path(folder), runs).items():
            if answers := answers_of(table):
                yield run, answers


def _with_images(
    records: Records,
    rows: Mapping[Any, Any],
    answers: Mapping[str, Answers],
    sprites: Sprites,
) -> Iterable[tuple[str, _Candidates]]:
    """Find the images of runs: their own, or those that another seed of a study has kept.

    An example that was not changed has the same image in each run on one data set.
    """
    known: dict[tuple[Any, ...], NDArray[np.uint8]] = {}
    own = {run: pictures_of(records, rows[run], its) for run, its in answers.items()}
    for run, pictures in own.items():
        if pictures is not None and rows[run]["data.inputs"] == "original":
            known.update(zip(_names(rows[run], answers[run]), pictures, strict=True))
    for run, its in answers.items():
        if its.lost:
            continue
        found: list[NDArray[np.uint8] | None]
        if (pictures := own[run]) is not None:
            found = list(pictures)
        elif rows[run]["data.inputs"] == "original":
            found = [known.get(name) for name in _names(rows[run], its)]
        else:
            found = [None] * len(its.example)
        # Wrong ones first; then by how late they were learned, and by how unsure the network is.
        late = [-np.inf if epoch is None else -epoch for epoch in its.learned]
        order = np.lexsort((its.probability[-1], late))
        number = [index for index in order if found[index] is not None]
        pixels = [each for index in number if (each := found[index]) is not None]
        shape = picture_shape(rows[run])
        if number and shape:
            yield run, _Candidates(its, sprites.sheet(shape), np.array(number), pixels)


def _names(row: Mapping[Any, Any], answers: Answers) -> list[tuple[Any, ...]]:
    return [(row["data.dataset"], row["data_hash"], int(each)) for each in answers.example]


def _fill(sprites: Sprites, candidates: Collection[_Candidates]) -> None:
    """Add what runs would show first, as far as there is room: all first images, then all second.

    Of images of one rank, those come first that most runs ask for.
    """
    asked: Counter[tuple[int, bytes, int]] = Counter()
    rank: dict[tuple[int, bytes, int], int] = {}
    for each in candidates:
        for at, pixels in enumerate(each.pixels[:SHOWN]):
            image = (each.sheet, pixels.tobytes(), int(each.answers.true[each.number[at]]))
            asked[image] += 1
            rank[image] = min(at, rank.get(image, at))
    size = 0
    for sheet, content, true in sorted(asked, key=lambda image: (rank[image], -asked[image])):
        pixels = np.frombuffer(content, np.uint8)
        size += len(zlib.compress(levels_of(pixels).tobytes()))
        if size > MOST_BYTES:
            break
        sprites.add(sheet, pixels, true)


def _packed(
    answers: Answers | None, candidates: _Candidates | None, sprites: Sprites
) -> NDArray[np.int64]:
    """Return one run's fields of `all_answers`."""
    head, fields = np.zeros(HEAD, np.int64), np.full((4, SHOWN), EMPTY)
    fields[1:] = 0
    head[0] = 0 if answers is None else len(answers.example)
    if answers is None or candidates is None:
        return np.concatenate([head, fields.ravel()])
    given, true = answers.given, answers.true
    places = [
        sprites.place(candidates.sheet, pixels, true[number])
        for number, pixels in zip(candidates.number, candidates.pixels, strict=True)
    ]
    shown = [
        (place, number)
        for place, number in zip(places, candidates.number, strict=True)
        if place is not None
    ][:SHOWN]
    skipped = None in places[:SHOWN]
    head[1:] = len(candidates.number), candidates.sheet, skipped
    for column, (place, at) in enumerate(shown):
        label, said = given[at], answers.said[-1, at]
        fields[:, column] = (
            place,
            0 if label == true[at] else label + 1,
            0 if said == label else said + 1,
            round(STEPS * answers.probability[-1, at]),
        )
    return np.concatenate([head, fields.ravel()])
