"""References: the works that the judged claims come from, as a paper lists them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.verdicts import NOT_RUN, Verdict

WORK = re.compile(r"the report|[^,;]+ \(\d{4}\)")
KNOWN = {
    "Arpit et al. (2017)": "Arpit, D., Jastrzębski, S., Ballas, N., Krueger, D., Bengio, E., "
    "Kanwal, M. S., Maharaj, T., Fischer, A., Courville, A., Bengio, Y. & Lacoste-Julien, S. "
    "(2017). A closer look at memorization in deep networks. ICML.",
    "Kingma & Ba (2015)": "Kingma, D. P. & Ba, J. (2015). Adam: a method for stochastic "
    "optimization. ICLR.",
    "the report": "The report: a short homework report, unpublished, on a small network with a "
    "hand-derived softmax gradient and a hand-written Adam.",
    "Zhang et al. (2017)": "Zhang, C., Bengio, S., Hardt, M., Recht, B. & Vinyals, O. (2017). "
    "Understanding deep learning requires rethinking generalization. ICLR.",
}


def works(source: str) -> list[str]:
    """Return the works that a claim's source names, each as authors and a year, or as the report.

    Examples
    --------
    >>> works("the report, question 2; Zhang et al. (2017), figure 1c")
    ['the report', 'Zhang et al. (2017)']
    """
    return [found.strip().removeprefix("and ") for found in WORK.findall(source)]


def references(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the works that judged claims come from, each once, in alphabetical order.

    A work that is not known here, of a reader's own claims, is named as the claim names it.
    """
    judged = (each.claim.source for each in verdicts if each.verdict != NOT_RUN)
    named = {work for source in judged for work in works(source or "")}
    return sorted(KNOWN.get(work, work) for work in named)
