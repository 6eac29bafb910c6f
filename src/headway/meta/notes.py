"""What a fit says of itself: messages in its fields, and their lazy English view.

A table or a page takes the message (`remark`, `ci_code`, `pi_code`) and says it in its reader's
language; `note`, `ci_method` and `pi_method` are for whoever reads a fit in Python.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.messages import say_in_english

if TYPE_CHECKING:
    import pandas as pd

Text = str | NDArray[np.str_]


class Noted:
    """A result whose `remark` says what a reader must know; empty if nothing."""

    __slots__ = ()
    remark: Any

    @property
    def note(self) -> Any:
        """What a reader must know about this result, in English; empty if nothing."""
        if isinstance(self.remark, str):
            return say_in_english(self.remark)
        kinds, places = np.unique(self.remark, return_inverse=True)
        words = np.array([say_in_english(kind) for kind in kinds])
        return words[places].reshape(np.shape(self.remark))


class Described(Noted):
    """A result that also says how its intervals were computed."""

    __slots__ = ()
    ci_code: str
    pi_code: str

    @property
    def ci_method(self) -> str:
        """The confidence interval in English."""
        return say_in_english(self.ci_code)

    @property
    def pi_method(self) -> str:
        """The prediction interval in English."""
        return say_in_english(self.pi_code)


class Tabled(Noted):
    """A result that becomes a table of one row."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row."""
        import pandas as pd

        own = [field.name for field in fields(self)]  # type: ignore[arg-type]
        names = ["note" if name == "remark" else name for name in own]
        values = {name: getattr(self, name) for name in names}
        return pd.DataFrame({n: [v] for n, v in values.items() if not isinstance(v, np.ndarray)})
