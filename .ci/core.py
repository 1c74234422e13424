"""Protects, audits and reports a random forest with an installed core: no torch, no checkout."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import sklearn_aeppt
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit

folder = Path(sklearn_aeppt.__file__).resolve().parent
assert "site-packages" in folder.parts, folder
assert (folder / "py.typed").exists()
for package in ("torch", "skorch"):
    assert importlib.util.find_spec(package) is None, f"{package} is installed"

X, y = load_digits(return_X_y=True)
X_mem, X_non, y_mem, y_non = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
model = RandomForestClassifier(random_state=0).fit(X_mem, y_mem)
defended = EqualizedClassifier(model).fit(X_mem, X_non, y_mem=y_mem, y_non=y_non)
assert (defended.predict(X) == model.predict(X)).all()

report = audit(defended, X_mem, y_mem, X_non, y_non, random_state=0)  # the network attacks: not run
print(report.verdict)
report.to_html("audit.html")
report.to_json("audit.json")
# what cannot run is in the report, with the reason
assert "not run: This needs torch" in Path("audit.html").read_text("utf-8")
assert "sklearn-aeppt[torch]" in Path("audit.json").read_text("utf-8")

try:
    from sklearn_aeppt import AEPPTClassifier

    AEPPTClassifier(model).fit(X_mem, X_non)
except ImportError as error:
    assert "sklearn-aeppt[torch]" in str(error), error
else:
    raise AssertionError("AEPPTClassifier was fitted without torch")

command = [sys.executable, "-m", "sklearn_aeppt"]
for option in ("--version", "--help"):
    print(subprocess.run([*command, option], check=True, capture_output=True, text=True).stdout)
