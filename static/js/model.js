// The curve of a model that has been trained.

import { Curve } from "./curve.js";
import { readJson } from "./dom.js";

const history = readJson("model-history");
if (history) new Curve(history.length).show(history);
