"""How many independent observations a series is worth: n / tau, tau being its integrated autocorrelation time.

Responses of a server that queues resemble their neighbours, and an interval that takes them for independent is too
narrow. tau = 1 + 2 (rho_1 + rho_2 + ...), summed up to the first lag W of at least 5 tau(W) (Sokal, Monte Carlo Methods
in Statistical Mechanics, 1997, section 3: the window that balances bias and noise).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WINDOW = 5
_CERTAIN = 2.0  # standard errors above 1 from which on a series counts as autocorrelated
_BATCHES, _BATCH_TAU = 20, 10  # with less than this the estimate of tau itself is not worth much


@dataclass(frozen=True, slots=True)
class Correlation:
    """`tau` is 1 for what looks independent; `enough` is whether the series is long enough to trust it."""

    n: int
    tau: float

    @property
    def effective(self) -> float:
        """How many independent observations the series is worth."""
        return self.n / self.tau

    @property
    def needed(self) -> int:
        """How long the series has to be for tau to be trusted."""
        return int(np.ceil(_BATCHES * _BATCH_TAU * self.tau))

    @property
    def enough(self) -> bool:
        """Whether it is that long, or independent."""
        return self.tau == 1 or self.n >= self.needed


def correlation(series: NDArray[np.float64]) -> Correlation:
    """Estimate tau of a series in the order of time.

    The estimate has a standard error of tau sqrt(2 (2 W + 1) / n) (Sokal, equation 3.22); where 1 is within two of them
    the series is taken for independent. Of truly independent series some 1 % are not recognised as such.
    """
    n = len(series)
    centred = series - series.mean() if n else series
    if n < 4 or not np.any(centred):
        return Correlation(n, 1.0)
    rho = _autocorrelation(centred)
    tau = 2 * np.cumsum(rho) - 1
    windows = np.flatnonzero(np.arange(len(tau)) >= _WINDOW * tau)
    window = int(windows[0]) if len(windows) else len(tau) - 1
    found = float(max(tau[window], 1.0))
    error = found * np.sqrt(2 * (2 * window + 1) / n)
    return Correlation(n, found if found - 1 > _CERTAIN * error / found else 1.0)


def _autocorrelation(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """rho_0 ... rho_(n-1), by the fast Fourier transform of the series padded with zeros."""
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    product = np.fft.irfft(np.abs(spectrum) ** 2, size)[: len(centred)]
    rho: NDArray[np.float64] = product / product[0]
    return rho
