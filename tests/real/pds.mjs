// Run Bluesky's own PDS: PACKAGES FOLDER PORT. Its directory of identities (PLC) is in this process. Prints its URL.
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { text } from "node:stream/consumers"

const [packages, folder, port] = process.argv.slice(2)
const require = createRequire(`${packages}/`)
const plc = require("@did-plc/lib")
const { PDS, envToCfg, envToSecrets, readEnv } = require("@atproto/pds")

const operations = new Map()
const identities = createServer(async (request, response) => {
  const [did, part = ""] = decodeURIComponent(request.url.slice(1)).split("/")
  let answer = {}
  if (request.method === "POST") {
    operations.set(did, JSON.parse(await text(request)))
  } else if (operations.has(did)) {
    const data = plc.opToData(did, operations.get(did))
    answer = part === "data" ? data : plc.formatDidDoc(data)
  } else {
    response.statusCode = 404
  }
  response.setHeader("Content-Type", "application/json")
  response.end(JSON.stringify(answer))
})
await new Promise((done) => identities.listen(0, "127.0.0.1", done))

const secret = () => randomBytes(32).toString("hex")
Object.assign(process.env, {
  PDS_HOSTNAME: "localhost",
  PDS_PORT: port,
  PDS_DEV_MODE: "true",
  PDS_DATA_DIRECTORY: folder,
  PDS_BLOBSTORE_DISK_LOCATION: `${folder}/blobs`,
  PDS_DID_PLC_URL: `http://127.0.0.1:${identities.address().port}`,
  PDS_INVITE_REQUIRED: "false",
  PDS_JWT_SECRET: secret(),
  PDS_DPOP_SECRET: secret(),
  PDS_ADMIN_PASSWORD: secret(),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: secret(),
})
const env = readEnv()
const server = await PDS.create(envToCfg(env), envToSecrets(env))
await server.start()
console.log(`http://localhost:${port}`)
