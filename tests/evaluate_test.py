#!/usr/bin/env python3
"""`evaluate` says what its figures are and what they stand on. Usage: evaluate_test.py PROGRAM SOURCE [unittest args]"""
import json
import re

from program_testing import PHOTO, ProgramTest, main

CLIPS = 6


class EvaluateTest(ProgramTest):
    def test_text(self):
        shown = self.expect(0, "evaluate", "-q", "--clips", CLIPS).stdout
        # Which data.
        self.assertIn(f"model demo on {CLIPS} procedural clips of the held-out series, --seed 0", shown)
        self.assertIn("seed 0 is the development set", shown)
        self.assertIn("no scene shows a photograph", shown)
        # Whose features.
        self.assertIn("own features, not FVD", shown)
        # No distance may be below zero.
        distances = re.findall(r"^Frechet distance .* (-?[\d.]+) +(-?[\d.]+) to (-?[\d.]+) +\d+$", shown, re.M)
        self.assertEqual(len(distances), 6, shown)
        for value, low, high in distances:
            self.assertTrue(0 <= float(low) <= float(value) <= float(high), (low, value, high))
        # Kind by kind, the verdict is what the two figures say.
        kinds = re.findall(r"^  (\w+) +(\d+) +([\d.]+) +([\d.]+) +(better|worse)$", shown, re.M)
        self.assertGreater(len(kinds), 0, shown)
        for name, _, model, still, verdict in kinds:
            if model != still:
                self.assertEqual(verdict, "better" if float(model) < float(still) else "worse", name)
        better = sum(verdict == "better" for *_, verdict in kinds)
        self.assertIn(f"nearer to the truth than the still picture's in {better} of {len(kinds)} kinds", shown)

    def test_json_and_another_seed(self):
        report = json.loads(self.expect(0, "evaluate", "--clips", 2, "--seed", 7, "--scene-photos", PHOTO.parent, "--features", "",
                                        "--json").stdout)
        self.assertEqual(report["data"]["seed"], 7)
        self.assertFalse(report["data"]["development"])
        self.assertGreater(report["data"]["scene_photos"], 0)
        self.assertIn("not FVD", report["frechet_distance_is"])
        for error in report["flow_error_by_kind"].values():
            self.assertEqual(set(error), {"model", "still", "clips"})

    def test_calibration_rows_say_what_they_must(self):
        report = json.loads(self.expect(0, "evaluate", "--clips", 4, "--features", "", "--calibrate", "--json").stdout)
        value = {(f["measure"], f["subject"]): f["value"] for f in report["figures"]}
        self.assertLess(value["motion ratio", "half speed"], 0.75)
        self.assertGreater(value["motion ratio", "double speed"], 1.25)
        self.assertGreater(value["flow error", "reversed"], value["flow error", "still"])
        self.assertGreater(value["flicker", "grain"], value["flicker", "real"])
        self.assertIn(("warp error", "checkered"), value)
        self.assertNotIn(("first frame", "other real"), value)


if __name__ == "__main__":
    main()
