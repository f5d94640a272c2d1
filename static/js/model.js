// The curve of a trained model.

import { Curve } from "./curve.js";
import { readJson } from "./dom.js";

const history = readJson("model-history");
if (history) new Curve(history.length).show(history, null, history[0]?.before);
