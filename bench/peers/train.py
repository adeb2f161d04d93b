#!/usr/bin/env python3
"""What a user would run instead: a plain PyTorch Transformer, timed like TrainLab.

    python3 bench/peers/train.py [--size 130m] [--shape 16x2048] [--window 1024] [--eager]

Pre-norm blocks (RMSNorm, rotary, causal attention, SwiGLU), tied embedding, bfloat16 autocast over
float32 weights, fused AdamW, clipping; torch.compile unless --eager. Random ids, vocabulary 50304;
the median of 15 steps after 5. Needs torch with CUDA and nothing else.
"""
import argparse
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = {  # width, layers, head size, perceptron: as bmojo's transformer presets
    "130m": (768, 12, 64, 2240),
    "370m": (1024, 24, 64, 2976),
    "1.4b": (2048, 24, 64, 5920),
}
VOCABULARY = 50304


class Attention(nn.Module):
    def __init__(self, width, head, window):
        super().__init__()
        self.heads, self.head, self.window = width // head, head, window
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, self.head).permute(2, 0, 3, 1, 4)
        turn = lambda y: y * cos + torch.cat((-y[..., self.head // 2:], y[..., : self.head // 2]), -1) * sin
        q, k = turn(q).to(v.dtype), turn(k).to(v.dtype)
        if self.window:
            i = torch.arange(t, device=x.device)
            far = i[:, None] - i[None, :]
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=(far >= 0) & (far < self.window))
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, width, head, inner, window):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = Attention(width, head, window)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.norm1(x), cos, sin)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Transformer(nn.Module):
    def __init__(self, size, length, window):
        super().__init__()
        width, layers, head, inner = SIZES[size]
        self.embedding = nn.Embedding(VOCABULARY, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, head, inner, window) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        angle = torch.arange(length)[:, None] * 10000 ** (-torch.arange(0, head, 2) / head)
        angle = torch.cat((angle, angle), -1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--size", default="130m", choices=SIZES)
    options.add_argument("--shape", default="16x2048")
    options.add_argument("--window", type=int, default=0)
    options.add_argument("--eager", action="store_true")
    o = options.parse_args()
    batch, length = map(int, o.shape.split("x"))
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    model = Transformer(o.size, length, o.window).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids, targets = torch.randint(0, VOCABULARY, (2, batch, length), device="cuda")
    run = model if o.eager else torch.compile(model)
    times = []
    for step in range(20):
        torch.cuda.synchronize()
        began = time.perf_counter()
        with torch.autocast("cuda", torch.bfloat16):
            loss = run(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    median = statistics.median(times[5:])
    parameters = sum(p.numel() for p in model.parameters())
    kind = ("eager" if o.eager else "compiled") + (f", window {o.window}" if o.window else "")
    print(f"PyTorch Transformer ({kind}) {parameters:,} parameters, {o.shape}: {median * 1e3:.1f} ms, "
          f"{batch * length / median:,.0f} tokens/s, peak {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
