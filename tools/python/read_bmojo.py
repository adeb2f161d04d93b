#!/usr/bin/env python3
"""Reads a model that B'MOJO for the JVM saved (architecture BMojoForCausalLM) and computes its logits.

    python3 read_bmojo.py MODEL "3 1 4 1 5"            best next token after each position
    python3 read_bmojo.py MODEL ids.txt --out l.npy    logits (sequences, length, vocabulary)

For those who want to use such a model elsewhere, or to know what it computes: one file, numpy alone,
everything in float64, one token after another, nothing clever. It is the definition in another
language, not a fast program.

Shapes: T tokens, d width, H query heads, G key/value heads, D head dim, N states, I channels.
"""
import argparse
import json
import math
import os
import struct
import sys

import numpy as np

# ---------------------------------------------------------------------------------------- weights


def read_safetensors(path):
    """Eight bytes of header length, a JSON header, then the tensors' bytes."""
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    types = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + o for o in entry["data_offsets"])
        raw = data[begin:end]
        if entry["dtype"] == "BF16":  # the upper half of a float32
            halves = np.frombuffer(raw, np.uint16).astype(np.uint32) << 16
            values = halves.view(np.float32)
        else:
            values = np.frombuffer(raw, types[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"]).astype(np.float64)
    return tensors


class Weights:
    """Tensors under a prefix."""

    def __init__(self, tensors, prefix=""):
        self.tensors, self.prefix = tensors, prefix

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def get(self, name):
        return self.tensors.get(self.prefix + name)

    def at(self, prefix):
        return Weights(self.tensors, self.prefix + prefix)

    def linear(self, name, x):
        y = x @ self[name + ".weight"].T
        bias = self.get(name + ".bias")
        return y if bias is None else y + bias


# ----------------------------------------------------------------------------------------- pieces


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def silu(x):
    return x * sigmoid(x)


def softplus(x):
    return np.logaddexp(x, 0)


def rms_norm(x, weight, eps):
    y = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return y if weight is None else y * weight


def causal_conv(x, w):
    """silu(bias + sum over the last K tokens), channel by channel. x (T, I), weight (I, K)."""
    weight, bias = w["weight"], w.get("bias")
    taps = weight.shape[1]
    padded = np.concatenate([np.zeros((taps - 1, x.shape[1])), x])
    y = sum(padded[m : m + len(x)] * weight[:, m] for m in range(taps))
    return silu(y if bias is None else y + bias)


def repeat_heads(x, heads):
    """(T, G, D) -> (T, H, D): head h reads h / (H/G)."""
    return np.repeat(x, heads // x.shape[1], axis=1)


class Rotary:
    """Rotate-half embedding; plane m of position p turns by p * base^(-2m/D)."""

    def __init__(self, dim, base, scaling, single):
        self.dim, self.base, self.scaling, self.single = dim, base, scaling, single
        self.magnitude = 1.0
        if scaling and scaling["kind"] == "yarn":
            given = scaling["attentionFactor"]
            self.magnitude = 0.1 * math.log(scaling["factor"]) + 1 if given is None else given

    def rounded(self, x):
        """To float32 and back, where the model was trained with such tables."""
        return np.asarray(x, np.float32).astype(np.float64) if self.single else x

    def frequencies(self, length):
        kind = np.float32 if self.single else np.float64
        base, dim, s, r = self.base, self.dim, self.scaling, self.rounded
        if s and s["kind"] == "dynamic" and length > s["original"] and dim > 2:
            growth = s["factor"] * length / s["original"] - (s["factor"] - 1)
            base = float(kind(base * growth ** (dim / (dim - 2))))
        f = 1 / kind(base) ** (np.arange(0, dim, 2).astype(kind) / kind(dim))
        f = f.astype(np.float64)
        if not s or s["kind"] == "dynamic":
            return f
        slow = r(f / s["factor"])
        if s["kind"] == "linear":
            return slow
        if s["kind"] == "llama3":
            wave = r(2 * math.pi / f)
            keep = r(r(r(s["original"] / wave) - s["low"]) / (s["high"] - s["low"]))
            middle = r(r(r(r(1 - keep) * f) / s["factor"]) + r(keep * f))
            long, short = wave > s["original"] / s["low"], wave < s["original"] / s["high"]
            return np.where(long, slow, np.where(short, f, middle))

        def plane(turns):
            return dim * math.log(s["original"] / (turns * 2 * math.pi)) / (2 * math.log(base))

        low, high = plane(s["fast"]), plane(s["slow"])
        if s["truncate"]:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dim - 1)
        ramp = r(r(np.arange(dim // 2) - float(low)) / (high - low or 0.001))
        ramp = np.clip(ramp, 0, 1)
        return r(r(slow * ramp) + r(f * r(1 - ramp)))

    def turn(self, x, positions, length):
        """x (..., D) to positions that broadcast to its leading axes."""
        angle = self.rounded(np.asarray(positions, np.float64)[..., None] * self.frequencies(length))
        c, s = np.cos(angle) * self.magnitude, np.sin(angle) * self.magnitude
        a, b = x[..., : self.dim // 2], x[..., self.dim // 2 :]
        return np.concatenate([a * c - b * s, b * c + a * s], -1)


# ---------------------------------------------------------------------- state spaces: (T, d) -> (T, d)


def mamba(x, c, w):
    inner = w["out_proj.weight"].shape[1]
    both = w.linear("in_proj", x)
    u, z = causal_conv(both[:, :inner], w.at("conv1d.")), both[:, inner:]
    n = c["stateSize"]
    rank = w["dt_proj.weight"].shape[1]
    selected = u @ w["x_proj.weight"].T
    step, b, out = selected[:, :rank], selected[:, rank : rank + n], selected[:, rank + n :]
    if c["selectionNormEps"] > 0:
        step = rms_norm(step, w["dt_layernorm.weight"], c["selectionNormEps"])
        b = rms_norm(b, w["b_layernorm.weight"], c["selectionNormEps"])
        out = rms_norm(out, w["c_layernorm.weight"], c["selectionNormEps"])
    delta = softplus(step @ w["dt_proj.weight"].T + w["dt_proj.bias"])  # (T, I)
    a = -np.exp(w["A_log"])  # (I, N)
    h = np.zeros_like(a)
    y = np.empty_like(u)
    for t in range(len(x)):
        h = np.exp(delta[t][:, None] * a) * h + (delta[t] * u[t])[:, None] * b[t]
        y[t] = h @ out[t] + w["D"] * u[t]
    return w.linear("out_proj", y * silu(z))


def linear_attention(q, k, v, g):
    """S = exp(g) S + k v', y = S' q, per head; q, k (T, H, N), v (T, H, P), g (T, H)."""
    s = np.zeros((q.shape[1], q.shape[2], v.shape[2]))
    y = np.empty_like(v)
    for t in range(len(q)):
        s = np.exp(g[t])[:, None, None] * s + k[t][:, :, None] * v[t][:, None, :]
        y[t] = np.einsum("hn,hnp->hp", q[t], s)
    return y


def mamba2(x, c, w):
    heads, p, n = c["heads"], c["headDim"], c["stateSize"]
    inner, tokens = heads * p, len(x)
    sizes = [c["inputHeads"] * p, c["keyHeads"] * n, c["queryHeads"] * n]
    everything = w.linear("in_proj", x)
    z, mixed, step = np.split(everything, [inner, inner + sum(sizes)], axis=1)
    parts = np.split(mixed, np.cumsum(sizes)[:2], axis=1)
    b, out = (part.reshape(tokens, -1, n) for part in parts[1:])
    if c["keyNorm"]:
        b = rms_norm(b, w["B_norm.weight"], 1e-6)
        out = rms_norm(out, w["C_norm.weight"], 1e-6)
    if c["ropeBase"] > 0:
        rotary = Rotary(n, c["ropeBase"], None, True)
        positions = np.arange(tokens)[:, None]
        b, out = (rotary.turn(t, positions, tokens) for t in (b, out))
    mixed = np.concatenate([parts[0], b.reshape(tokens, -1), out.reshape(tokens, -1)], axis=1)
    parts = np.split(causal_conv(mixed, w.at("conv1d.")), np.cumsum(sizes)[:2], axis=1)
    u, b, out = (
        repeat_heads(part.reshape(tokens, count, -1), heads)
        for part, count in zip(parts, (c["inputHeads"], c["keyHeads"], c["queryHeads"]))
    )
    limit = c["maxStep"]
    limit = float("inf") if limit in (None, "Infinity") else limit
    delta = np.clip(softplus(step + w["dt_bias"]), c["minStep"], limit)  # (T, H)
    g = -np.exp(w["A_log"]) * delta
    y = linear_attention(out, b, u * delta[:, :, None], g) + u * w["D"][:, None]
    gated = y.reshape(tokens, inner) * silu(z)
    even = rms_norm(gated.reshape(tokens, c["normGroups"], -1), None, c["normEps"])
    return w.linear("out_proj", even.reshape(tokens, inner) * w["norm.weight"])


class Heads:
    """Queries, keys, values and output of the layers that are built like attention."""

    def __init__(self, c, w):
        self.c, self.w = c, w
        self.count = max(c["queryHeads"], c["keyHeads"], c["valueHeads"])

    def make(self, x, name, count):
        flat = self.w.linear(name + "_proj", x)
        if name != "v" or self.c["valueConvolution"]:
            conv = self.w.at(name + "_conv1d.")
            flat = causal_conv(flat, conv) if self.c["convolution"] else silu(flat)
        heads = flat.reshape(len(x), count, -1)
        grouped = self.count > min(self.c["keyHeads"], self.c["valueHeads"])
        if name == "q" or self.c["expansionRank"] is None or not grouped:
            return repeat_heads(heads, self.count)
        if self.c["learntRepeat"]:
            plain = np.einsum("eh,thd->ted", self.w[name + "_rep"], heads)
        else:
            plain = repeat_heads(heads, self.count)
        proj = self.w.at("proj_" + name + ".")
        return plain + proj.linear("linearB", silu(proj.linear("linearA", flat))).reshape(plain.shape)

    def all(self, x):
        counts = ("q", "queryHeads"), ("k", "keyHeads"), ("v", "valueHeads")
        return (self.make(x, name, self.c[count]) for name, count in counts)

    def output(self, y, x):
        even = rms_norm(y, self.w["o_norm.weight"], self.c["normEps"])
        if self.c["gated"]:
            even = even * silu(self.w.linear("g_proj", x)).reshape(even.shape)
        return self.w.linear("o_proj", even.reshape(len(x), -1))

    def log_decay(self, x, name):
        return -np.exp(self.w["A_log"]) * softplus(self.w.linear(name, x) + self.w["dt_bias"])


def gated_delta_net(x, c, w):
    heads = Heads(c["heads"], w)
    q, k, v = heads.all(x)
    q, k = (t / np.sqrt((t * t).sum(-1, keepdims=True) + 1e-6) for t in (q, k))
    q = q / math.sqrt(q.shape[-1])
    beta = sigmoid(w.linear("b_proj", x)) * (2 if c["negativeEigenvalues"] else 1)
    g = heads.log_decay(x, "gk_proj")
    s = np.zeros((q.shape[1], q.shape[2], q.shape[2]))
    y = np.empty_like(v)
    for t in range(len(x)):
        s = np.exp(g[t])[:, None, None] * s
        recalled = np.einsum("hn,hnp->hp", k[t], s)
        s = s + k[t][:, :, None] * (beta[t][:, None] * (v[t] - recalled))[:, None, :]
        y[t] = np.einsum("hn,hnp->hp", q[t], s)
    return heads.output(y, x)


def gated_kalma_net(x, c, w):
    heads = Heads(c["heads"], w)
    q, k, v = heads.all(x)
    q, k = (t / (np.sqrt((t * t).sum(-1, keepdims=True)) + 1e-6) for t in (q, k))
    if c["betaGate"]:
        beta = sigmoid(w.linear("b_proj", x))[:, :, None] + 1e-6
        k, v = k * beta, v * beta
    g = heads.log_decay(x, "a_proj") if c["forgets"] else np.zeros(q.shape[:2])
    if c["iterations"] > 0:
        z = solve(q, k, g if c["matrixForgets"] else 0 * g, c["ridge"], c["iterations"])
        alpha = sigmoid(w.linear("alpha_proj", x))[:, :, None] if c["mixed"] else 1
        q = q + alpha * (z - q)
    scale = q.shape[-1] ** -0.5 if c["scaled"] else 1
    return heads.output(scale * linear_attention(q, k, v, g), x)


def solve(q, k, g, ridge, iterations):
    """(M + lambda I) z = q by a fixed number of Chebyshev steps: not converged, and not to be."""
    m = np.zeros((q.shape[1], q.shape[2], q.shape[2]))
    result = np.empty_like(q)
    rate = 1 / (2 * ridge + 1) / 2
    for t in range(len(q)):
        m = np.exp(g[t])[:, None, None] * m + k[t][:, :, None] * k[t][:, None, :]
        norm = np.sqrt((m * m).sum((1, 2)))[:, None]
        step, weight = 2 / ((2 * ridge + 1) * norm), 2.0
        before, z = np.zeros_like(q[t]), step * q[t]
        for _ in range(iterations):
            weight = 1 / (1 - rate * rate * weight)
            residual = np.einsum("hij,hj->hi", m, z) + ridge * norm * z - q[t]
            before, z = z, weight * z - step * weight * residual - (weight - 1) * before
        result[t] = z
    return result


SSMS = {
    "mamba": mamba,
    "mamba2": mamba2,
    "gated_delta_net": gated_delta_net,
    "gated_kalma_net": gated_kalma_net,
}

# --------------------------------------------------------------------------------- eidetic memory


def importance(x, w, more=0.0):
    return softplus(x @ w["importance.weight"] + w["importance.bias"] + more)


def scores(x, y, c, w):
    """How much each token asks to be remembered, (T), and what that adds to its logits."""
    selection, tokens = c["selection"], len(x)
    normalised = rms_norm(x, None, 1e-6)
    if selection in ("innovation", "combined"):
        predictor = "innovation" if selection == "innovation" else "importance.innovation"
        told = rms_norm(y, None, 1e-6) if c.get("scaleFree") else y
        before = np.concatenate([np.zeros((1, y.shape[1])), told[:-1]])
        guess = before @ w[predictor + ".down.weight"].T @ w[predictor + ".up.weight"].T
        surprise = ((normalised - guess) ** 2).mean(-1)
        return surprise if selection == "innovation" else surprise * importance(x, w)
    if selection == "filter":
        weight = w["innovation.weight"]  # (d, 4): the four tokens before
        padded = np.concatenate([np.zeros((4, x.shape[1])), normalised])
        guess = sum(padded[m : m + tokens] * weight[:, m] for m in range(4))
        return ((normalised - guess) ** 2).mean(-1)
    if selection == "importance":
        return importance(x, w)
    if selection == "contextual":
        return importance(x, w, rms_norm(y, None, 1e-6) @ w["importance.state_weight"])
    rules = {
        "recent": float,
        "stride": lambda p: 64.0 if p == 0 else float((p & -p).bit_length() - 1),
        "random": lambda p: (mix(1 ^ mix(p)) >> 40) / float(1 << 24),
        "none": lambda p: -math.inf,
    }
    return np.array([rules[selection](p) for p in range(tokens)])


def mix(v):
    """The finaliser of SplitMix64."""
    full = (1 << 64) - 1
    v = (v + 0x9E3779B97F4A7C15) & full
    v = ((v ^ (v >> 30)) * 0xBF58476D1CE4E5B9) & full
    v = ((v ^ (v >> 27)) * 0x94D049BB133111EB) & full
    return v ^ (v >> 31)


def eligible(e, threshold):
    """Scores with -inf for those below the bar."""
    if threshold is None:
        return e
    if threshold["absolute"] is not None:
        return np.where(e <= threshold["absolute"], -math.inf, e)
    log_tau, kept = 0.0, e.copy()
    for t, score in enumerate(e):
        low = score <= math.exp(log_tau)
        if low:
            kept[t] = -math.inf
        log_tau += 0.05 * (threshold["quantile"] - low)
    return kept


def remembered(e, chunk_start, behind, capacity):
    """The positions with the highest scores among those far enough behind, of equals the later ones."""
    candidates = [j for j in range(max(0, chunk_start - behind + 1)) if e[j] > -math.inf]
    return sorted(sorted(candidates, key=lambda j: (e[j], j), reverse=True)[:capacity])


# -------------------------------------------------------------------------------------- attention


def attention(x, y, c, w):
    heads, groups, dim = c["heads"], c["kvHeads"], c["headDim"]
    details, memory, tokens = c["details"], c["eidetic"], len(x)
    window = c["window"] or tokens
    scale = details["scale"] or dim**-0.5
    eps = details["qkNormEps"]
    mixed = x + causal_conv(x, w.at("conv.")) if c["convolution"] else x

    def make(source, name, count, norm):
        t = w.linear(name, source).reshape(tokens, count, dim)
        return rms_norm(t, w[norm + ".weight"], eps) if norm and c["qkNorm"] else t

    q = make(mixed, "q_proj", heads, "q_norm")
    k = repeat_heads(make(mixed, "k_proj", groups, "k_norm"), heads)
    v = repeat_heads(make(mixed, "v_proj", groups, None), heads)
    rotary = None
    if c["ropeBase"] > 0:
        single = details["singleAngles"]
        rotary = Rotary(dim, c["ropeBase"], details["ropeScaling"], single)

    def turned(t):
        return t if rotary is None else rotary.turn(t, np.arange(tokens)[:, None], tokens)

    near_q, near_k = turned(q), turned(k)
    fading = c["fading"]
    if fading > 0:
        own = "" if c["tied"] else "fading_"
        norm = "fading_" if details["fadingQueries"] else ""
        fading_k = turned(repeat_heads(make(y, own + "k_proj", groups, norm + "k_norm"), heads))
        fading_v = repeat_heads(make(y, own + "v_proj", groups, None), heads)
        fading_q = near_q
        if details["fadingQueries"]:
            fading_q = turned(make(mixed, "fading_q_proj", heads, "fading_q_norm"))
    if memory:
        e = scores(x, y, memory, w)
        candidates = eligible(e, memory["threshold"])
        far_q, far_k = q, k
        if rotary and memory["positions"] == "fixed":
            far_q = rotary.turn(q, window + fading, window + fading + 1) * rotary.magnitude
        if rotary and memory["positions"] == "order":
            far_q = rotary.turn(q, window + fading, window + fading + 1)
        if rotary and memory["positions"] == "absolute":
            far_q, far_k = near_q, near_k

    result = np.empty((tokens, heads, dim))
    for i in range(tokens):
        logits, values = [], []

        def see(query, keys, vals, bias=0.0):
            logits.append(scale * np.einsum("hd,shd->hs", query, keys) + bias)
            values.append(vals)

        first = max(0, i - window + 1)
        see(near_q[i], near_k[first : i + 1], v[first : i + 1])
        if fading > 0 and i >= window:
            span = slice(max(0, i - window - fading + 1), i - window + 1)
            see(fading_q[i], fading_k[span], fading_v[span])
        if memory:
            start = i // memory["chunk"] * memory["chunk"]
            behind = window - memory["chunk"] + 1 if memory.get("early") else window
            kept = remembered(candidates, start, behind, memory["capacity"])
            if kept:
                bias = np.zeros((heads, len(kept)))
                if memory["selection"] in ("importance", "contextual", "combined"):
                    bias = bias + np.log(e[kept])
                elif memory["modulated"]:
                    bias = w["innovation.gamma"][:, None] * np.log1p(e[kept])
                keys = far_k[kept]
                if rotary and memory["positions"] == "order":
                    keys = rotary.turn(keys, np.arange(1 - len(kept), 1)[:, None], window + fading + 1)
                see(far_q[i], keys, v[kept], bias)
        joint = np.concatenate(logits, axis=1)
        weights = np.exp(joint - joint.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        result[i] = np.einsum("hs,shd->hd", weights, np.concatenate(values))
    return w.linear("o_proj", result.reshape(tokens, -1))


# ------------------------------------------------------------------------------------------ model


def perceptron(x, w):
    return w.linear("down_proj", silu(w.linear("gate_proj", x)) * w.linear("up_proj", x))


def experts(x, c, w):
    logits = w.linear("router", x)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    result = np.zeros_like(x)
    for t in range(len(x)):
        best = np.argsort(-weights[t], kind="stable")[: c["chosen"]]
        total = weights[t][best].sum() if c["renormalised"] else 1
        for e in best:
            part = perceptron(x[t : t + 1], w.at("experts.%d." % e))[0]
            result[t] += weights[t][e] / total * part
    return result


class Model:
    """A folder's model."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as f:
            config = json.load(f)
        if config.get("architectures") != ["BMojoForCausalLM"]:
            sys.exit("%s has the architectures %s: this reads BMojoForCausalLM alone; others are read"
                     " by the projects they come from" % (folder, config.get("architectures")))
        if config["format"] != 1:
            sys.exit("%s has format %s: this reads format 1" % (folder, config["format"]))
        self.config = config["model"]
        self.weights = Weights(read_safetensors(os.path.join(folder, "model.safetensors")))
        self.blocks = [
            run["block"] for run in self.config["layers"] for _ in range(run["repeat"])
        ]

    def logits(self, ids):
        """Ids (T) -> (T, V)."""
        w, eps = self.weights, self.config["normEps"]
        x = w["embed_tokens.weight"][np.asarray(ids)]
        for i, block in enumerate(self.blocks):
            at = w.at("layers.%d." % i)
            x = x + self.mixer(rms_norm(x, at["mixer_norm.weight"], eps), block["mixer"], at.at("mixer."))
            if block["mlp"] > 0:
                even = rms_norm(x, at["mlp_norm.weight"], eps)
                several = block["experts"]
                part = at.at("mlp.")
                x = x + (experts(even, several, part) if several else perceptron(even, part))
        head = w["embed_tokens.weight" if self.config["tied"] else "lm_head.weight"]
        return rms_norm(x, w["norm.weight"], eps) @ head.T

    @staticmethod
    def mixer(x, c, w):
        ssm, attends = c["ssm"], c["attention"]
        y = SSMS[ssm["kind"]](x, ssm, w.at("ssm.")) if ssm else None
        if not attends:
            return y
        out = attention(x, y, attends, w)
        return out + y if c["stateOutput"] else out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a folder with config.json and model.safetensors")
    parser.add_argument("ids", help="ids, or a file with one sequence of ids a line")
    parser.add_argument("--out", help="write the logits to this .npy file")
    options = parser.parse_args()
    text = options.ids
    if os.path.exists(text):
        with open(text) as f:
            text = f.read()
    sequences = [[int(i) for i in line.split()] for line in text.splitlines() if line.strip()]
    model = Model(options.model)
    results = [model.logits(ids) for ids in sequences]
    if options.out:
        np.save(options.out, np.stack(results))
    else:
        for logits in results:
            print(" ".join(str(i) for i in logits.argmax(1)))


if __name__ == "__main__":
    main()
