# SPDX-License-Identifier: Apache-2.0
"""The packages that are read, in the order in which they are written.

Each module has a `SOURCE`, `find(root, npm) -> Optional[Path]` (where its files are; None when the
package isn't installed) and `facts(path) -> Iterator[Fact]`. Only installed files are read.
"""

from sources import babel, cldr, countries_list, glibc, iso_codes, symfony, tzdata, world_countries

ALL = (iso_codes, cldr, tzdata, glibc, symfony, babel, world_countries, countries_list)
