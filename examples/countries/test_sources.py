# SPDX-License-Identifier: Apache-2.0
"""The readers: on small files for the odd cases, on the installed packages for the show-pieces."""

import gzip
import os
import tempfile
import unittest
from pathlib import Path

from claims import rfc3339
from sources import babel, cldr, glibc, iso_codes, symfony, tzdata, world_countries

LOCALE = """comment_char %
escape_char /
LC_IDENTIFICATION
territory "C<U00F4>te//d'Ivoire"
date "{date}"
END LC_IDENTIFICATION
LC_TIME
week 7;19971201;4 % begins on a Monday
first_weekday 7
END LC_TIME
LC_MONETARY
{money}
END LC_MONETARY
LC_ADDRESS
country_num 56
END LC_ADDRESS
LC_PAPER
height 279
width 216
END LC_PAPER
"""

SUPPLEMENTAL = """<supplementalData><currencyData><region iso3166="DE">
<currency iso4217="EUR" from="1999-01-01"/><currency iso4217="DEM" from="1948-06-20" to="2002-02-28"/>
<currency iso4217="XXA" tender="false"/></region></currencyData>
<territoryInfo><territory type="DE" population="80000000">
<languagePopulation type="de" officialStatus="official"/><languagePopulation type="en"/></territory>
<territory type="US" population="330000000"/><territory type="ZZ" population="1"/></territoryInfo>
<weekData><firstDay day="mon" territories="001"/><firstDay day="sun" territories="US"/>
<firstDay day="sat" territories="DE" alt="variant"/></weekData></supplementalData>"""


class SmallFiles(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def zipped(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode("utf-8")))

    def test_iso_codes_date_is_the_releases_and_not_the_files(self):
        register = self.write("share/iso-codes/json/iso_3166-1.json",
                              '{"3166-1": [{"alpha_2": "HR", "alpha_3": "HRV", "name": "Croatia", "numeric": "191"}]}')
        os.utime(register, (0, 0))
        self.assertEqual({rfc3339(fact.made_at) for fact in iso_codes.facts(register)}, {"1970-01-01T00:00:00.000Z"})
        self.zipped("share/doc/iso-codes/changelog.gz",
                    "# Changelog\n\n## [4.15.0] – 2023-04-27\n\n### Changed\n\n## [4.14.0] – 2023-02-28\n")
        self.assertEqual({rfc3339(fact.made_at) for fact in iso_codes.facts(register)}, {"2023-04-27T00:00:00.000Z"})

    def test_cldr_date_is_that_of_its_version(self):
        path = self.write("common/supplemental/supplementalData.xml", SUPPLEMENTAL)
        os.utime(path, (0, 0))
        self.write("common/dtd/ldml.dtd", '<!ATTLIST version cldrVersion CDATA #FIXED "41" >\n')
        self.assertEqual(rfc3339(cldr.release_date(path)), "2022-04-06T00:00:00.000Z")
        other = self.write("other/supplemental/supplementalData.xml", SUPPLEMENTAL)
        self.write("other/dtd/ldml.dtd", '<!ATTLIST version cldrVersion CDATA #FIXED "1.0" >\n')
        os.utime(other, (0, 0))
        self.assertEqual(rfc3339(cldr.release_date(other)), "1970-01-01T00:00:00.000Z")

    def test_babel_date_is_that_of_debians_changelog(self):
        line = " -- Bastian Germann <bage@debian.org>  Tue, 27 Sep 2022 19:44:32 +0200\n"
        self.assertEqual(rfc3339(babel._entry_date(line)), "2022-09-27T17:44:32.000Z")
        self.assertIsNone(babel._entry_date("  * Team upload.\n"))

    def test_glibc_follows_copies_and_reads_the_old_dates(self):
        own = 'int_curr_symbol "EUR "'
        self.write("fr_BE", LOCALE.format(date="2000,October,27 (XML source:2000,July,20)", money=own))
        self.write("nl_BE", LOCALE.format(date="2003-4-1", money='copy "fr_BE"'))
        self.write("wa_BE", LOCALE.format(date="", money='int_curr_symbol "BEF "'))
        facts = {fact.predicate: fact for fact in glibc.facts(self.root)}
        currency = facts["currency"]
        self.assertEqual((currency.value, currency.label, currency.metadata),
                         ("EUR", "fr_BE", {"also_in": ["nl_BE"]}))
        self.assertEqual(rfc3339(currency.made_at), "2000-10-27T00:00:00.000Z")
        self.assertEqual({name: facts[name].value for name in facts if name != "currency"},
                         {"name": "Côte/d'Ivoire", "numeric_code": "056", "first_weekday": "sun",
                          "min_days_in_first_week": 4, "paper_size": "US-Letter"})

    def test_cldr_gives_periods_defaults_and_no_variants(self):
        self.write("supplemental/supplementalData.xml", SUPPLEMENTAL)
        facts = {(f.country, f.predicate, f.value): f for f in cldr.facts(self.root)}
        mark = facts["DE", "currency", "DEM"]
        self.assertEqual((rfc3339(mark.valid_from), rfc3339(mark.valid_to)),
                         ("1948-06-20T00:00:00.000Z", "2002-02-28T23:59:59.999Z"))
        self.assertIsNone(facts["DE", "currency", "EUR"].valid_to)
        self.assertEqual(facts["DE", "first_weekday", "mon"].metadata, {"inherited_from": "001"})
        self.assertEqual(facts["US", "first_weekday", "sun"].metadata, {})
        self.assertIn(("DE", "non_tender_currency", "XXA"), facts)
        self.assertIn(("DE", "official_languages", "de"), facts)
        self.assertNotIn(("ZZ", "population", 1), facts)

    def test_tzdata_is_dated_by_its_newest_comment(self):
        head = "# From A (2014-07-18):\n# From B (2023-09-06):\n"
        self.write("iso3166.tab", head + "TR\tTurkey\n")
        self.write("zone.tab", head + "TR\t+4101+02858\tEurope/Istanbul\tnote\n")
        name, zone = tzdata.facts(self.root)
        self.assertEqual((name.value, zone.value), ("Turkey", "Europe/Istanbul"))
        self.assertEqual(rfc3339(name.made_at), "2023-09-06T00:00:00.000Z")

    def test_symfony_reads_strings_with_quotes_and_lists(self):
        self.write("git-info.txt", "Date: 2024-10-21T16:21:38+05:30\n")
        self.write("regions/en.php", "<?php\n\nreturn [\n    'Names' => [\n"
                                     "        'CI' => 'Côte d\\'Ivoire',\n    ],\n];\n")
        self.write("timezones/meta.php", "<?php\n\nreturn [\n    'CountryToZone' => [\n        'CI' => [\n"
                                         "            'Africa/B',\n            'Africa/A',\n        ],\n    ],\n];\n")
        self.assertEqual([fact.value for fact in symfony.facts(self.root)],
                         ["Côte d'Ivoire", "Africa/A,Africa/B"])

    def test_babels_pickles_can_call_nothing(self):
        witness = self.root / "called"
        self.root.joinpath("global.dat").write_bytes(
            b"cos\nmkdir\n(V" + str(witness).encode() + b"\ntR.")
        babel._load(self.root / "global.dat")
        self.assertFalse(os.path.exists(witness))

    def test_area_codes_are_not_calling_codes(self):
        codes = world_countries._calling_codes
        self.assertEqual(list(codes({"root": "+1", "suffixes": ["201", "202"]})), ["1"])
        self.assertEqual(list(codes({"root": "+3", "suffixes": ["85"]})), ["385"])
        self.assertEqual(list(codes({"root": "+3", "suffixes": ["906698", "79"]})), ["3906698", "379"])


class InstalledPackages(unittest.TestCase):
    def currencies(self, module, country):
        path = module.find(Path("/"), None)
        if path is None:
            self.skipTest(f"{module.SOURCE.package} is not installed")
        return [fact for fact in module.facts(path)
                if fact.country == country and fact.predicate == "currency"]

    def test_germany_had_two_currencies_between_1999_and_2002(self):
        periods = {fact.value: fact for fact in self.currencies(cldr, "DE")}
        self.assertEqual(set(periods), {"DEM", "EUR"})
        self.assertLess(periods["EUR"].valid_from, periods["DEM"].valid_to)

    def test_the_copy_says_what_the_original_says(self):
        def triples(facts):
            return sorted((f.value, str(f.valid_from), str(f.valid_to)) for f in facts)
        self.assertEqual(triples(self.currencies(babel, "HR")), triples(self.currencies(cldr, "HR")))

    def test_croatia_is_given_one_currency_by_glibc(self):
        self.assertEqual(len(self.currencies(glibc, "HR")), 1)


if __name__ == "__main__":
    unittest.main()
