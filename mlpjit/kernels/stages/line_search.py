"""A line search for the strong Wolfe conditions, one trial at a time: the run evaluates, the search chooses what next.

f(theta + t d) <= f + c1 t g d and |g(theta + t d) d| <= -c2 g d (Nocedal & Wright 2006, algorithms 3.5 and 3.6, with
the cubic interpolation of equation 3.59). Safeguards as in minFunc and torch.optim.LBFGS: a step grows by at most 10, a
trial near an end of the bracket is moved a tenth inside, a bracket that moves nothing by more than `tolerance` ends it.

What the search knows stands in `search`, each number as two of the run's dtype whose sum it is.
"""

from __future__ import annotations

from mlpjit.kernels.language import Float64, Int, Reals, device, float64, kernel, load, real, sqrt, store

# Where the line began and the trial at hand; the trial before, while a bracket is looked for; the ends of the bracket;
# what is counted. FINAL is the caller's: whether T is no more a trial.
F, SLOPE, SPAN, T, BEFORE_T, BEFORE_F, BEFORE_SLOPE = range(7)
END_T, END_F, END_SLOPE = 7, 9, 11  # two each
ZOOMING, TRIALS, SHORT, LOWER, FINAL, KEPT_NUMBERS = 13, 14, 15, 16, 17, 18
SEARCH_ROOM = 2 * KEPT_NUMBERS


# Kernels, not inlined: they stand at forty places, and the search compiles in half the time.
@kernel
def keep(search: Reals, place: Int, x: Float64) -> None:
    """Keep a float64 number as two of the dtype."""
    high = real(x)
    store(search, 2 * place, high)
    store(search, 2 * place + 1, real(x - float64(high)))


@kernel
def kept(search: Reals, place: Int) -> Float64:
    """Return a number that was kept; NaN for one that is not finite."""
    return float64(load(search, 2 * place)) + float64(load(search, 2 * place + 1))


@kernel
def begin_search(search: Reals, f: Float64, slope: Float64, span: Float64, t: Float64) -> None:
    """Begin at f and its slope along d, with the first trial at t; span: the largest |d|."""
    zero = float64(0)
    for place in range(KEPT_NUMBERS):
        keep(search, place, zero)
    keep(search, F, f)
    keep(search, SLOPE, slope)
    keep(search, SPAN, span)
    keep(search, T, t)
    keep(search, BEFORE_F, f)
    keep(search, BEFORE_SLOPE, slope)


@kernel
def interpolated(
    t1: Float64, f1: Float64, g1: Float64, t2: Float64, f2: Float64, g2: Float64, low: Float64, high: Float64
) -> Float64:
    """Return the minimum of the cubic through two points and their slopes, within low and high; else their middle."""
    first = g1 + g2 - 3 * (f1 - f2) / (t1 - t2)
    square = first * first - g1 * g2
    found = (low + high) / 2
    if square >= 0:
        second = sqrt(square)
        if t1 <= t2:
            at = t2 - (t2 - t1) * ((g2 + second - first) / (g2 - g1 + 2 * second))
        else:
            at = t1 - (t1 - t2) * ((g1 + second - first) / (g1 - g2 + 2 * second))
        if at == at:
            found = low if at < low else (high if at > high else at)
    return found


@kernel
def set_end(search: Reals, end: Int, t: Float64, f: Float64, slope: Float64) -> None:
    """Set an end of the bracket."""
    keep(search, END_T + end, t)
    keep(search, END_F + end, f)
    keep(search, END_SLOPE + end, slope)


@device
def copy_end(search, source, target):
    """Make an end of the bracket the same as the other."""
    set_end(
        search, target, kept(search, END_T + source), kept(search, END_F + source), kept(search, END_SLOPE + source)
    )


@device
def lower_end(search):
    """Return the end of the bracket with the lower value; the first of equals, and where the second is NaN."""
    return 1 if kept(search, END_F + 1) < kept(search, END_F) else 0


@device
def too_high(search, t, f, c1):
    """Say whether a trial misses the condition of sufficient decrease; NaN does."""
    return not (f <= kept(search, F) + c1 * t * kept(search, SLOPE))


@kernel
def look_for_bracket(search: Reals, t: Float64, f: Float64, slope: Float64, c1: Float64, c2: Float64) -> Float64:
    """Judge a trial before there is a bracket; return the next step to try, -1 when t is accepted, 0 for a bracket."""
    before_f, trials = kept(search, BEFORE_F), kept(search, TRIALS)
    if too_high(search, t, f, c1) or (trials > 1 and f >= before_f):
        return float64(0)
    size = slope if slope >= 0 else -slope
    if size <= -c2 * kept(search, SLOPE):
        return float64(-1)
    if slope >= 0:
        return float64(0)
    before_t = kept(search, BEFORE_T)
    low, high = t + (t - before_t) / 100, 10 * t
    after = interpolated(before_t, before_f, kept(search, BEFORE_SLOPE), t, f, slope, low, high)
    keep(search, BEFORE_T, t)
    keep(search, BEFORE_F, f)
    keep(search, BEFORE_SLOPE, slope)
    return after


@kernel
def narrow_bracket(search: Reals, t: Float64, f: Float64, slope: Float64, c1: Float64, c2: Float64) -> Int:
    """Put a trial in the place of an end of the bracket; return 1 where it is accepted, else 0."""
    low = int(kept(search, LOWER))
    if too_high(search, t, f, c1) or not (f < kept(search, END_F + low)):
        set_end(search, 1 - low, t, f, slope)
        keep(search, LOWER, float64(lower_end(search)))
        return 0
    size = slope if slope >= 0 else -slope
    accepted = 1 if size <= -c2 * kept(search, SLOPE) else 0
    if accepted == 0 and slope * (kept(search, END_T + 1 - low) - kept(search, END_T + low)) >= 0:
        copy_end(search, low, 1 - low)
    set_end(search, low, t, f, slope)
    return accepted


@kernel
def inside_bracket(search: Reals) -> Float64:
    """Return the next step to try: the cubic's minimum, moved inside where it is twice near an end."""
    first, second = kept(search, END_T), kept(search, END_T + 1)
    low, high = (first, second) if first <= second else (second, first)
    t = interpolated(
        first, kept(search, END_F), kept(search, END_SLOPE), second, kept(search, END_F + 1),
        kept(search, END_SLOPE + 1), low, high,
    )  # fmt: skip
    tenth, short = (high - low) / 10, float64(0)
    nearest = high - t if high - t < t - low else t - low
    if nearest < tenth:
        if kept(search, SHORT) != 0 or t >= high or t <= low:
            t = high - tenth if high - t < t - low else low + tenth
        else:
            short = float64(1)
    keep(search, SHORT, short)
    return t


@device
def taken(search, t):
    """End the search with a step."""
    keep(search, T, t)
    return 1


@device
def tried(search, t):
    """Go on with a trial."""
    keep(search, T, t)
    keep(search, TRIALS, kept(search, TRIALS) + 1)
    return 0


@kernel
def search_on(
    search: Reals, f: Float64, slope: Float64, c1: Float64, c2: Float64, tolerance: Float64, most: Float64
) -> Int:
    """Judge the trial at T, its value and slope; T becomes the step to try, or to take where 1 is returned."""
    t, trials = kept(search, T), kept(search, TRIALS)
    if kept(search, ZOOMING) == 0:
        if trials >= most:
            return taken(search, t if f < kept(search, F) else float64(0))
        after = look_for_bracket(search, t, f, slope, c1, c2)
        if after < 0:
            return 1
        if after > 0:
            return tried(search, after)
        keep(search, ZOOMING, float64(1))
        set_end(search, 0, kept(search, BEFORE_T), kept(search, BEFORE_F), kept(search, BEFORE_SLOPE))
        set_end(search, 1, t, f, slope)
        keep(search, LOWER, float64(lower_end(search)))
    elif narrow_bracket(search, t, f, slope, c1, c2) != 0:
        return 1
    low = int(kept(search, LOWER))
    width = kept(search, END_T + 1) - kept(search, END_T)
    width = width if width >= 0 else -width
    if kept(search, TRIALS) >= most or width * kept(search, SPAN) < tolerance:
        return taken(search, kept(search, END_T + low))
    return tried(search, inside_bracket(search))
