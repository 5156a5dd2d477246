"""Compiled kernels, if they can be built; everything else is in pyproject.toml.

A package without them works, more slowly: whatever goes wrong here is a warning. WDCCHECK_REQUIRE_EXT=1
makes it an error, WDCCHECK_DISABLE_EXT=1 builds none.
"""

from __future__ import annotations

import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

REQUIRED = os.environ.get("WDCCHECK_REQUIRE_EXT") == "1"
DISABLED = os.environ.get("WDCCHECK_DISABLE_EXT") == "1"
SOURCES = {"proof": "proof.h", "circles": "circles.h", "pairs": "pairs.h", "grams": "grams.h",
           "copositive": "copositive.h"}
FUSED = {"grams"}  # may take products unrounded: rounding.py allows for that
# no -march: results do not depend on the machine that built
FLAGS = [] if sys.platform == "win32" else ["-O3", "-g0"]
EXACT = [] if sys.platform == "win32" else ["-ffp-contract=off"]


class optional_build_ext(build_ext):
    """Without the extensions that cannot be built."""

    def run(self) -> None:
        """Build; without a compiler, nothing."""
        try:
            self._translate()
            super().run()
        except (Exception, SystemExit) as error:
            if REQUIRED:
                raise
            self.extensions = []
            print(f"warning: wdccheck is installed without compiled kernels: {error}", file=sys.stderr)

    def _translate(self) -> None:
        from Cython.Build import cythonize

        self.extensions = cythonize(self.extensions, language_level=3, force=True)
        for extension in self.extensions:  # what setuptools sets where it translates itself
            extension._needs_stub = False

    def copy_extensions_to_source(self) -> None:
        """What an editable install looks for beside the sources."""
        try:
            super().copy_extensions_to_source()
        except Exception:
            if REQUIRED:
                raise


extensions = [] if DISABLED else [
    Extension(f"wdccheck._kernels.{name}", [f"wdccheck/_kernels/{name}.pyx"],
              extra_compile_args=FLAGS + ([] if name in FUSED else EXACT),
              depends=[f"wdccheck/_kernels/{header}"])
    for name, header in SOURCES.items()
]
setup(ext_modules=extensions, cmdclass={"build_ext": optional_build_ext})
