"""Algorithm 1 without matrix products, for three-branch networks of one layer a branch; numba.

Let z1 = W1 q + b1 be what the hidden units of the prediction branch receive and z2 what the joint
layer receives. As long as no confidence turns round or reaches a bound and no unit flips, an
iteration moves q along fixed signs s, z1 along v = W1 s, and leaves the gradient g as it is. So
every record carries q, z1, v and g along, and an event costs one row or column of a matrix:

- a confidence turns or stops: v changes by a column of W1;
- a unit of the first layer flips: g changes by a row of W1;
- a unit of the joint layer flips: g is summed anew.

z2 is not carried along. What the first layer hands on moves by at most a known length in an
iteration, so z2_j cannot change its sign before the path since it was last computed is as long as
``|z2_j| / ||A_j||``; it is computed again only then.

All sums are in double precision, so that an answer depends neither on the records beside it nor on
the order of the events; weights stay in single precision, which they are in.
"""

import numpy as np

try:
    import numba
except ImportError:  # missing, or made for another numpy: torch answers then
    numba = None  # type: ignore[assignment]

#: Units are padded to whole chunks, in which flips are looked for.
CHUNK = 32
#: Sums may be taken in any order; infinities and NaN keep their meaning.
FLAGS = {"reassoc", "contract", "nsz"}


def _compiled(function, flags=FLAGS):
    """Compile on first use and keep it on disk, where there is a place to keep it."""
    if numba is None:
        return function
    options = {"nogil": True, "error_model": "numpy", "fastmath": flags}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's own can be written
        return numba.njit(**options)(function)


def prepare(W1, b1, A, table, w3, b3):
    """Return the arguments of `perturb` that follow from the network.

    Parameters
    ----------
    W1 : float32 ndarray of shape (H, K)
    b1 : float32 ndarray of shape (H,)
        First layer of the prediction branch.
    A : float32 ndarray of shape (J, H)
        First joint layer, its share of the prediction branch.
    table : float64 ndarray of shape (K, J)
        The rest of what that layer receives, one row per predicted class.
    w3 : float32 ndarray of shape (J,)
    b3 : float
        The last layer.
    """
    spare = -len(b1) % CHUNK
    W1 = np.pad(W1, ((0, spare), (0, 0)))
    b1 = np.pad(b1.astype(np.float64), (0, spare), constant_values=-1.0)  # units that never fire
    A = np.pad(A, ((0, 0), (0, spare)))
    norm = np.linalg.norm(A.astype(np.float64), axis=1)
    with np.errstate(divide="ignore"):
        room = 1 / norm  # infinite for a unit that nothing moves
    reach = (np.abs(A) * np.where(norm > 0, room, 0)[:, None]).max(axis=0)
    # a component of g below this may be what is left of terms that cancel: it is summed anew
    doubt = 1e-13 * len(b1) * np.abs(w3).sum() * np.abs(A).max() * np.abs(W1).max()
    return (
        np.ascontiguousarray(W1), np.ascontiguousarray(W1.T), b1, np.ascontiguousarray(A),
        np.ascontiguousarray(table), w3.astype(np.float64), float(b3), room, reach, float(doubt),
    )  # fmt: skip


@_compiled
def _add_rows(y, rows, at, by, n):
    """Add ``sum(by[m] * rows[at[m]] for m in range(n))`` to y, four rows in one pass."""
    m = 0
    while m + 4 <= n:
        r0, r1, r2, r3 = at[m], at[m + 1], at[m + 2], at[m + 3]
        x0, x1, x2, x3 = by[m], by[m + 1], by[m + 2], by[m + 3]
        for i in range(len(y)):
            y[i] += (x0 * rows[r0, i] + x1 * rows[r1, i]) + (x2 * rows[r2, i] + x3 * rows[r3, i])
        m += 4
    while m < n:
        r0, x0 = at[m], by[m]
        for i in range(len(y)):
            y[i] += x0 * rows[r0, i]
        m += 1


@_compiled
def _dots(rows, at, n, x, out):
    """Write ``rows[at[m]] @ x`` to out[m] for m < n, four rows in one pass."""
    m = 0
    while m + 4 <= n:
        r0, r1, r2, r3 = at[m], at[m + 1], at[m + 2], at[m + 3]
        t0 = t1 = t2 = t3 = 0.0
        for i in range(len(x)):
            t0 += x[i] * rows[r0, i]
            t1 += x[i] * rows[r1, i]
            t2 += x[i] * rows[r2, i]
            t3 += x[i] * rows[r3, i]
        out[m], out[m + 1], out[m + 2], out[m + 3] = t0, t1, t2, t3
        m += 4
    while m < n:
        r0, t0 = at[m], 0.0
        for i in range(len(x)):
            t0 += x[i] * rows[r0, i]
        out[m] = t0
        m += 1


@_compiled
def _length(v, live):
    """Return the length of v over the units that fire (live 1, else 0)."""
    total = 0.0
    for i in range(len(v)):
        total += live[i] * v[i] * v[i]
    return np.sqrt(total)


def _lowest_of(x):
    low = np.inf
    for i in range(len(x)):
        low = x[i] if x[i] < low else low
    return low


_lowest = _compiled(_lowest_of, FLAGS | {"nnan"})  # numpy's own looks for NaN, four times as long


@_compiled
def _advance(q, a, s):
    """Move the confidences and return how many left [0, 1]."""
    over = 0
    for k in range(len(q)):
        q[k] += a * s[k]
        over += (q[k] < 0) | (q[k] > 1)
    return over


@_compiled
def _move(z1, a, v):
    """Move what the first layer receives and return how many units flipped."""
    flipped = 0
    for i in range(len(z1)):
        new = z1[i] + a * v[i]
        flipped += (new > 0) != (z1[i] > 0)
        z1[i] = new
    return flipped


@_compiled
def perturb(p, label, draws, step, W1, W1T, b1, A, table, w3, b3, room, reach, doubt, out):
    """Write Algorithm 1's vectors for float32 rows p and draws (T, n) to `out`, shape (n, K)."""
    (n, K), H, J, T = p.shape, len(b1), len(w3), len(draws)
    q, s, g = np.empty(K), np.empty(K), np.empty(K)
    z1, h, v, dz = np.empty(H), np.empty(H), np.empty(H), np.empty(H)
    u, live = np.empty(H), np.empty(H)  # gradient at the first layer's output; who fires
    live2, room_left = np.empty(J), np.empty(J)
    at, by = np.empty(max(H, K, J) + 1, np.int64), np.empty(max(H, K, J) + 1)
    all_joint = np.arange(J)
    for row in range(n):
        m = 0
        for k in range(K):
            q[k], s[k] = p[row, k], 0.0
            at[m], by[m] = k, q[k]
            m += q[k] != 0
        z1[:] = b1
        _add_rows(z1, W1T, at, by, m)
        for i in range(H):
            live[i] = z1[i] > 0
            h[i] = live[i] * z1[i]
            v[i] = u[i] = 0.0
        _dots(A, all_joint, J, h, room_left)
        m, logit, c = 0, b3, label[row]
        for j in range(J):
            z2 = table[c, j] + room_left[j]
            live2[j] = z2 > 0
            logit += w3[j] * live2[j] * z2
            at[m], by[m] = j, w3[j]
            m += z2 > 0
            room_left[j] = abs(z2) * room[j] if z2 != 0 else 0.0
        n_joint = m
        _add_rows(u, A, at, by, m)
        nearest, path, speed = _lowest(room_left), 0.0, 0.0
        uphill = -1.0 if logit >= 0 else 1.0  # against the network's own belief
        joint_flipped = gradient_moved = True
        for t in range(T):
            if joint_flipped:
                m = 0
                for i in range(H):
                    at[m], by[m] = i, u[i]
                    m += live[i] > 0
                g[:] = 0.0
                _add_rows(g, W1, at, by, m if n_joint else 0)
                joint_flipped = False
            if gradient_moved:
                m = 0
                for k in range(K):
                    if abs(g[k]) < doubt and g[k] != 0:
                        g[k] = 0.0
                        for i in range(H):
                            if live[i] > 0 and n_joint:
                                g[k] += u[i] * W1[i, k]
                    new = uphill * ((g[k] > 0) - 1.0 * (g[k] < 0))
                    new *= not (((new > 0) & (q[k] >= 1)) | ((new < 0) & (q[k] <= 0)))
                    at[m], by[m] = k, new - s[k]
                    m += new != s[k]
                    s[k] = new
                _add_rows(v, W1T, at, by, m)
                speed = _length(v, live)
                gradient_moved = False
            a = draws[t, row] * step
            if _advance(q, a, s):
                # back to the bound, and there they stay until the gradient turns
                m = 0
                for k in range(K):
                    if q[k] < 0 or q[k] > 1:
                        bound = 0.0 if q[k] < 0 else 1.0
                        at[m], by[m] = k, bound - q[k]
                        m += 1
                        q[k] = bound
                for i in range(H):
                    dz[i] = a * v[i]
                _add_rows(dz, W1T, at, by, m)
                flipped = _move(z1, 1.0, dz)
                path += _length(dz, live)
                for stopped in range(m):
                    by[stopped] = -s[at[stopped]]
                    s[at[stopped]] = 0.0
                _add_rows(v, W1T, at, by, m)
                speed = _length(v, live)
            else:
                flipped = _move(z1, a, v)
                path += a * speed
            if flipped:
                m = 0
                for start in range(0, H, CHUNK):
                    here = 0
                    for i in range(start, start + CHUNK):
                        here += (z1[i] > 0) != (live[i] > 0)
                    if here:
                        for i in range(start, start + CHUNK):
                            if (z1[i] > 0) != (live[i] > 0):
                                live[i] = 1.0 - live[i]
                                at[m], by[m] = i, u[i] if live[i] > 0 else -u[i]
                                m += 1
                                # its way up was not in `speed`, which counts those that fired
                                path += live[i] * reach[i] * z1[i]
                _add_rows(g, W1, at, by, m)
                gradient_moved = True
            if path >= nearest:
                for i in range(H):
                    h[i] = live[i] * z1[i]
                due = 0
                for j in range(J):
                    at[due] = j
                    due += path >= room_left[j]
                _dots(A, at, due, h, by)
                m = 0
                for place in range(due):
                    j = at[place]
                    z2 = table[c, j] + by[place]
                    room_left[j] = path + (abs(z2) * room[j] if z2 != 0 else 0.0)
                    if (z2 > 0) != (live2[j] > 0):
                        live2[j] = 1.0 - live2[j]
                        at[m], by[m] = j, w3[j] if live2[j] > 0 else -w3[j]
                        m += 1
                        n_joint += 1 if live2[j] > 0 else -1
                nearest = _lowest(room_left)
                if m:
                    _add_rows(u, A, at, by, m)
                    joint_flipped = gradient_moved = True
        for k in range(K):
            out[row, k] = q[k]
