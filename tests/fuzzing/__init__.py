"""Requests that nobody in their right mind would send, made from the service descriptors and a seed.

Half of them are nearly right, with ids of real things in them: what is refused at the door shows little of the house.
`requests` makes them: `plausible` ones, filled from `values` and the `vocabulary` that answers teach, and made to go
together by `fitting`, and those mutated or replaced by `hostile` ones. `introduction` puts real things in place,
`callers` and a `gateway` ask, `answer` and `tally` look at what comes, and `campaign` puts these together.
"""
