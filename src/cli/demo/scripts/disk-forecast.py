"""Says when a disk will be full, from how full it is and how fast it grows."""

import json
import math
import os
import sys
from pathlib import Path

parameters = json.loads(Path(os.environ["ONCALL_PARAMETERS"]).read_text())
used, growth = parameters["used_percent"], parameters["growth_percent_per_day"]
if growth <= 0:
    print(f"{used:g} % used and not growing: nothing to do")
    sys.exit()
days = math.ceil((100 - used) / growth)
print(f"{used:g} % used, growing by {growth:g} % a day: full in {days} days")
sys.exit(1 if days < parameters["page_below_days"] else 0)
