"""Requests that nobody in their right mind would send, made from the service descriptors and a seed.

Half of them are nearly right, with ids of real things in them: what is refused at the door shows little of the house.
"""
