"""What an answer's wording is to its task's example heads: rare words and pairs, runs of letters, and length.

All of it is computed from tokens, so that a student still reads token ids alone. A word that is spelled
wrong falls into other tokens, but shares most of its runs of letters with the right one.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import torch
from tokenizers import Tokenizer as FastTokenizer
from torch import Tensor

from scoring.student.encoder import EncoderFiles

BUCKETS = 8192
"""Words and pairs, and runs of letters, are told apart by their hash alone: so many of each."""
SMALLEST = 1e-6
"""Size of an answer's wording that is told from none."""
RUNS = range(3, 6)
"""Lengths of runs of letters."""
MOST_RUNS = 32
"""Runs of one token that are looked at; a longer token is rare."""
POWER = 0.5
"""An answer's wording is divided by its size to this power. At 1 every word of a long answer counts less, at 0 a long
answer outweighs all others; between them a hundredth more of the variance of levels is explained than at 1
(bench/README.md)."""
FARTHEST = 3.0
"""Standard deviations beyond which an answer counts as no longer, or shorter."""


@lru_cache(maxsize=4)
def spelling_of(files: EncoderFiles) -> Tensor:
    """(vocabulary, MOST_RUNS) the bucket of each of a token's runs of letters, `BUCKETS` where there is none.

    A space stands where a word begins and after each token.
    """
    tokenizer = FastTokenizer.from_file(str(files.folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab()
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    pieces = any(token.startswith("##") for token in vocabulary)
    table = torch.full((max(vocabulary.values()) + 1, MOST_RUNS), BUCKETS)
    for token, number in vocabulary.items():
        if number in special:
            continue
        letters = token.removeprefix("##") if pieces else token.replace("▁", " ").replace("Ġ", " ")
        if pieces and letters == token:
            letters = f" {letters}"
        letters += " "
        found = [letters[at : at + size] for size in RUNS for at in range(max(1, len(letters) - size + 1))]
        codes = [zlib.crc32(run.encode()) % BUCKETS for run in found[:MOST_RUNS]]
        table[number, : len(codes)] = torch.tensor(codes)
    return table


def wording_counts(input_ids: Tensor, attention_mask: Tensor, spelling: Tensor) -> Tensor:
    """(B, T) tokens -> (B, 2 BUCKETS) how often each word, or word and its next, and each run of letters comes up."""
    ids = input_ids.long()
    size = len(ids)
    pairs = (ids[:, :-1] + 1) * 1_000_003 + ids[:, 1:]
    used, both = attention_mask.float(), (attention_mask[:, :-1] * attention_mask[:, 1:]).float()
    words = ids.new_zeros(size, BUCKETS, dtype=torch.float)
    words.scatter_add_(1, _bucket(ids), used)
    words.scatter_add_(1, _bucket(pairs), both)
    runs = spelling[ids].reshape(size, -1)  # (B, T * MOST_RUNS)
    letters = ids.new_zeros(size, BUCKETS + 1, dtype=torch.float)
    letters.scatter_add_(1, runs, used[..., None].expand(-1, -1, spelling.shape[1]).reshape(size, -1))
    return torch.cat([words, letters[:, :BUCKETS]], dim=1)


def rarity_of(counts: Tensor) -> Tensor:
    """(N, 2 BUCKETS) -> (2 BUCKETS,) weights: the rarer the greater, and none for what only one answer holds.

    Words and letters are weighed so that the answers' mean size is 1 in each.
    """
    holders = (counts > 0).sum(0)
    rarity = torch.where(holders > 1, ((1 + len(counts)) / (1 + holders)).log() + 1, 0.0)
    sizes = [half.norm(dim=1).mean().clamp(min=SMALLEST) for half in _halves(_weighed(counts, rarity))]
    return torch.cat([rarity[:BUCKETS] / sizes[0], rarity[BUCKETS:] / sizes[1]])


def wording(counts: Tensor, rarity: Tensor, power: Tensor) -> Tensor:
    """(N, 2 BUCKETS), (2 BUCKETS,), (1,) -> (N, 2 BUCKETS): TF-IDF with logarithmic counts.

    Words and letters weigh alike. The mean of the squares of the answers that `rarity` is of is 1 with `POWER`;
    with a power of 1 each answer's is, or less where it has none of the rarer words.
    """
    halves = _halves(_weighed(counts, rarity))
    sizes = [half.norm(dim=1, keepdim=True).clamp(min=SMALLEST) for half in halves]
    return torch.cat([half / size**power for half, size in zip(halves, sizes, strict=True)], dim=1) / 2**0.5


def _weighed(counts: Tensor, rarity: Tensor) -> Tensor:
    return torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0) * rarity


def _halves(table: Tensor) -> tuple[Tensor, Tensor]:
    """Words and pairs, and letters."""
    return table[:, :BUCKETS], table[:, BUCKETS:]


def length_of(attention_mask: Tensor) -> Tensor:
    """(N, T) -> (N,) logarithm of the number of tokens."""
    return attention_mask.sum(1).float().log1p()


def relative_length(length: Tensor, lengths: Tensor) -> Tensor:
    """(N,) from `length_of`, (2,) mean and standard deviation -> (N,) standard deviations from the mean."""
    return ((length - lengths[0]) / lengths[1].clamp(min=1e-3)).clamp(-FARTHEST, FARTHEST)


def _bucket(codes: Tensor) -> Tensor:
    prime = 2_147_483_647
    return codes % prime * 1_000_003 % prime % BUCKETS
