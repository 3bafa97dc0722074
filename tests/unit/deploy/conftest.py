"""What can be checked by a tool of the distribution is, where that tool is."""

import shutil

collect_ignore = [] if shutil.which("promtool") else ["test_promtool.py"]
