"""Recordings: samples of sound, when somebody speaks in them, and the frames that a student reads.

`decoding` turns files into samples, `segments` cuts samples at pauses, `features` turns samples into frames. The same
functions serve training and use. What a voice loses on its way, such as by a telephone, is in `degradations`.
"""
