"""The effective sample size of a series: n / tau, where tau is its integrated autocorrelation time.

Responses of a server with a queue are correlated, and an interval that assumes independence is too narrow for them.
tau = 1 + 2 (rho_1 + rho_2 + ...), summed up to the first lag W of at least 5 tau(W), a window that balances bias
and variance (Sokal, Monte Carlo Methods in Statistical Mechanics, 1997, section 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WINDOW = 5
_SIGNIFICANT = 2.0  # standard errors above 1 from which on a series counts as correlated
_BATCHES, _BATCH_TAU = 20, 10  # with fewer observations the estimate of tau itself is unreliable


@dataclass(frozen=True, slots=True)
class Correlation:
    """The autocorrelation of a series of n; `tau` is 1 if it was found independent."""

    n: int
    tau: float

    @property
    def effective(self) -> float:
        """The effective sample size, n / tau."""
        return self.n / self.tau

    @property
    def needed(self) -> int:
        """The n that a reliable estimate of tau takes."""
        return int(np.ceil(_BATCHES * _BATCH_TAU * self.tau))

    @property
    def enough(self) -> bool:
        """Whether tau is reliable: n is at least `needed`, or the series was found independent."""
        return self.tau == 1 or self.n >= self.needed


def correlation(series: NDArray[np.float64]) -> Correlation:
    """Estimate tau of a series float64[n] in time order.

    The estimate has a standard error of tau sqrt(2 (2 W + 1) / n) (Sokal, equation 3.22); if 1 is within two standard
    errors, the series counts as independent. About 1 % of truly independent series do not pass.
    """
    n = len(series)
    centred = series - series.mean() if n else series
    if n < 4 or not np.any(centred):
        return Correlation(n, 1.0)
    rho = _autocorrelation(centred)
    tau = 2 * np.cumsum(rho) - 1
    windows = np.flatnonzero(np.arange(len(tau)) >= _WINDOW * tau)
    window = int(windows[0]) if len(windows) else len(tau) - 1
    estimate = float(max(tau[window], 1.0))
    error = estimate * np.sqrt(2 * (2 * window + 1) / n)
    return Correlation(n, estimate if estimate - 1 > _SIGNIFICANT * error / estimate else 1.0)


def _autocorrelation(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """rho_0 ... rho_(n-1), by the fast Fourier transform of the series padded with zeros."""
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    product = np.fft.irfft(np.abs(spectrum) ** 2, size)[: len(centred)]
    rho: NDArray[np.float64] = product / product[0]
    return rho
