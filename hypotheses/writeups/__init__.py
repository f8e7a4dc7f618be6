"""The writeups' own tables as typed data, judged by the same rule as fresh evidence.

One module (or package) per writeup, each number as it was printed, probabilities as fractions.
Every claim's share of a writeup is a `Finding`: the evidence, and what a reader must know about it.
No region and no verdict lives here, and nothing that was not printed in a writeup, save what
`raw_results` holds of the record behind them and what `audit` computes from the printed numbers.
"""
