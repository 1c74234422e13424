"""Let libFuzzer, guided by coverage, choose the inputs of the tests of `test_hardening`.

``python -W error tests/fuzz.py NAME [-max_total_time=600 ...]`` with atheris installed; NAME
without its "test_hard_". Options are libFuzzer's; it stops at the first input that breaks a law and
keeps it in a file.
"""

import sys

import atheris

with atheris.instrument_imports(include=["sklearn_aeppt"]):
    import test_hardening

law = getattr(test_hardening, f"test_hard_{sys.argv[1]}").hypothesis.fuzz_one_input
seen = {"bytes": 0, "inputs": 0}


def ask(buffer):
    seen["bytes"] += 1
    seen["inputs"] += law(buffer) is not None  # None: too few bytes to make an input of
    if seen["bytes"] % 1000 == 0:
        print(f"{sys.argv[1]}: {seen['inputs']} inputs tried", flush=True)


atheris.Setup([*sys.argv[:1], "-len_control=0", "-max_len=4096", *sys.argv[2:]], ask)
atheris.Fuzz()
