"""The stages of dvc.yaml, one module each."""

import os

# Before any stage imports NumPy. What is worth several cores runs in several processes, and the
# threads of the numeric libraries would spin against those (a logistic regression or a product
# of small matrices then takes longer, and many times the CPU).
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
