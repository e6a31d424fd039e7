"""The soak: honest traffic beside everything that a peer can do wrong, for as long as one likes.

``python -m benchmarks.soak --help``. Two processes: a server with the application of `server`, and a load that is
honest (`honest`) and hostile (`hostile`) at once. Nothing of it measures speed. What is asked:

- Every honest message is answered, with what it said and in order (`tally`).
- When all peers are gone, and also those that never go by themselves have been dropped, both processes hold what they
  held before the first came (`census`).
- The server's memory does not grow (`verdict`).

With ``--over client`` perfectws's own clients are soaked in the same way, in one process, by the servers of another
(`foreign`): one that echoes, and one that does everything wrong (`bad_servers`, `bad_visits`).

A machine that is slow, or has other things to do, makes fewer messages of it and the same verdict.
"""
