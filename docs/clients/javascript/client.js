// A client of flightmesh on gRPC, apache-arrow and msgpack: SQL, YAML plans, uploads, cancelling, the catalog.
//
// Handed a command on the command line and the mesh by environment variables (see README.md); hands on lines of JSON. What
// always holds: the mesh's CA and the token go with every call, to the driver and to the workers alike; results are read batch by
// batch, from all endpoints side by side, with bounded memory; what goes wrong is one line on stderr and exit code 1.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { checkServerIdentity } from 'node:tls';
import { parseArgs, promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { Decoder, Encoder, decode, encode } from '@msgpack/msgpack';
import * as arrow from 'apache-arrow';

const CALL_MILLISECONDS = 60_000;
const ROWS_OF_A_MESSAGE = 65_536;
const OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc-node.flow_control_window': 8 << 20, // a stream that is not read holds this much, and no more
};
const PROTO = protoLoader.loadSync(new URL('Flight.proto', import.meta.url).pathname, { longs: Number, enums: String, defaults: true });
const { FlightService } = grpc.loadPackageDefinition(PROTO).arrow.flight.protocol;

/** A driver, and the workers that its answers name. */
class Mesh {
  constructor(uri, ca, token, hostName) {
    this.uri = uri.includes('://') ? uri : `grpc+tls://${uri}`;
    this.ca = ca ? readFileSync(ca) : null;
    this.headers = new grpc.Metadata();
    if (token) this.headers.set('authorization', `Bearer ${readFileSync(token, 'utf8').trim()}`);
    this.hostName = hostName;
    this.connections = new Map();
  }

  /** The connection to the node that holds an endpoint; one that names no address is the driver's own. */
  node(endpoint) {
    const uri = endpoint?.location.map((place) => place.uri).find((place) => place.startsWith('grpc')) ?? this.uri;
    if (!this.connections.has(uri)) this.connections.set(uri, uri.startsWith('grpc+tls:') ? this.secure(uri) : this.plain(uri));
    return this.connections.get(uri);
  }

  /** TLS. Node wants a name, not an address, in the greeting; what is checked is the address, or the name given for it. */
  secure(uri) {
    const { host, hostname } = new URL(uri);
    const name = this.hostName ?? hostname.replace(/^\[|\]$/g, '');
    const check = { checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate) };
    const options = { ...OPTIONS, 'grpc.ssl_target_name_override': isIP(name) ? 'flightmesh.flightmesh' : name };
    return new FlightService(host, grpc.credentials.createSsl(this.ca, null, null, check), options);
  }

  plain(uri) {
    return new FlightService(new URL(uri).host, grpc.credentials.createInsecure(), OPTIONS);
  }

  limits() {
    return { deadline: Date.now() + CALL_MILLISECONDS };
  }

  /** The driver's answer to an action. */
  async action(type, body) {
    const asked = { type, body: body === undefined ? Buffer.alloc(0) : Buffer.from(encode(body)) };
    for await (const answer of this.node().doAction(asked, this.headers, this.limits())) return decode(answer.body);
  }

  /** Starts a query and names its endpoints; `what` is a Run map. */
  run(what) {
    const driver = this.node();
    return promisify(driver.getFlightInfo).call(driver, { type: 'CMD', cmd: encode(what) }, this.headers, this.limits());
  }

  /** The rows of one endpoint, as a stream of FlightData; `stream.failure` is what went wrong, also before anybody reads. */
  read(endpoint) {
    const stream = this.node(endpoint).doGet(endpoint.ticket, this.headers);
    return stream.on('error', (error) => (stream.failure = error));
  }

  /** Makes a table of the mesh; returns when it is there. */
  async upload(name, table) {
    const stream = this.node().doPut(this.headers);
    const answers = drained(stream);
    answers.catch(() => {}); // it is awaited below; a failure may come while rows are still being written
    let flightDescriptor = { type: 'PATH', path: [name] };
    for (const { dataHeader, dataBody } of messages(table)) {
      if (!stream.write({ flightDescriptor, dataHeader, dataBody })) await Promise.race([drain(stream), answers]);
      flightDescriptor = undefined;
    }
    stream.end();
    await answers;
  }

  close() {
    for (const connection of this.connections.values()) connection.close();
  }
}

const drain = (stream) => new Promise((resolve) => stream.once('drain', resolve));

async function drained(stream) {
  for await (const _ of stream);
}

/** A table as Flight carries it: the messages of an Arrow stream, each cut into its header and its body. */
function* messages(table) {
  for (let at = 0; at === 0 || at < table.numRows; at += ROWS_OF_A_MESSAGE) {
    const stream = arrow.tableToIPC(table.slice(at, at + ROWS_OF_A_MESSAGE), 'stream');
    const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
    for (let from = 0, size; from + 8 <= stream.length && (size = view.getInt32(from + 4, true)) > 0; ) {
      const dataHeader = stream.subarray(from + 8, from + 8 + size);
      const message = arrow.Message.decode(dataHeader);
      const end = from + 8 + size + message.bodyLength;
      if (at === 0 || !message.isSchema()) yield { dataHeader, dataBody: stream.subarray(from + 8 + size, end) };
      from = end;
    }
  }
}

/** The other way: FlightData as the bytes of an Arrow stream. */
async function* bytesOf(stream) {
  for await (const { dataHeader, dataBody } of stream) {
    if (dataHeader.length === 0) continue; // only metadata
    const prefix = Buffer.alloc(8);
    prefix.writeInt32LE(-1, 0);
    prefix.writeInt32LE(dataHeader.length, 4);
    yield Buffer.concat([prefix, dataHeader, dataBody]);
  }
  if (stream.failure) throw stream.failure;
}

/** The result as lines of JSON: the names of the columns, then a list a row. Endpoints are read side by side, or one after the
 * other where the result is ordered. */
async function show(mesh, info) {
  const { schema } = arrow.RecordBatchReader.from(info.schema).open();
  print(schema.fields.map((field) => field.name));
  const streams = info.endpoint.map((endpoint) => mesh.read(endpoint));
  try {
    if (info.ordered) for (const stream of streams) await showRows(stream);
    else await Promise.all(streams.map(showRows));
  } catch (error) {
    for (const stream of streams) stream.cancel();
    throw error;
  }
}

async function showRows(stream) {
  for await (const batch of await arrow.RecordBatchReader.from(bytesOf(stream))) {
    const cells = batch.schema.fields.map((field, at) => cellOf(field.type, batch.getChildAt(at)));
    let lines = '';
    for (let row = 0; row < batch.numRows; row++) lines += `[${cells.map((cell) => cell(row)).join(', ')}]\n`;
    if (lines && !process.stdout.write(lines)) await drain(process.stdout);
  }
}

/** Values of a column as JSON by their row: numbers, booleans and nulls; NaN, dates, decimals and the rest as text. */
function cellOf(type, column) {
  const value = (row) => column.get(row);
  const raw = (row) => BigInt(column.data[0].values[row]);
  const or = (write) => (row) => (value(row) === null ? 'null' : write(row));
  if (arrow.DataType.isNull(type)) return () => 'null';
  if (arrow.DataType.isInt(type) || arrow.DataType.isBool(type)) return or((row) => String(value(row)));
  if (arrow.DataType.isFloat(type)) return or((row) => (Number.isFinite(value(row)) ? String(value(row)) : `"${value(row)}"`));
  if (arrow.DataType.isDecimal(type)) return or((row) => `"${decimal(value(row), type)}"`);
  if (arrow.DataType.isDate(type)) return or((row) => `"${new Date(Number(value(row))).toISOString().slice(0, 10)}"`);
  if (arrow.DataType.isTimestamp(type)) return or((row) => `"${timestamp(raw(row), type)}"`);
  return or((row) => JSON.stringify(String(value(row))));
}

function decimal(value, { scale, bitWidth }) {
  const words = [...new Uint32Array(value.buffer, value.byteOffset, value.byteLength / 4)];
  const whole = BigInt.asIntN(bitWidth, words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n));
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  const text = scale > 0 ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return whole < 0n ? `-${text}` : text;
}

function timestamp(count, { unit, timezone }) {
  const digits = 3 * unit; // seconds, milliseconds, microseconds, nanoseconds
  const second = 10n ** BigInt(digits);
  const part = ((count % second) + second) % second;
  const text = new Date(Number((count - part) / second) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return text + (digits ? `.${String(part).padStart(digits, '0')}` : '') + (timezone ? 'Z' : '');
}

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** An Arrow stream of one row: a column for each NAME=VALUE. A value is JSON, or text. */
function parameters(given = []) {
  if (given.length === 0) return null;
  const columns = given.map((pair) => {
    const [name] = pair.split('=', 1);
    return [name, column([value(pair.slice(name.length + 1))])];
  });
  return arrow.tableToIPC(new arrow.Table(Object.fromEntries(columns)), 'stream');
}

function value(text) {
  try {
    const found = JSON.parse(text);
    if (Number.isInteger(found) && /^-?\d+$/.test(text)) return BigInt(text);
    return typeof found === 'object' && found !== null ? text : found;
  } catch {
    return text;
  }
}

function column(values) {
  const kinds = new Set(values.filter((each) => each !== null).map((each) => typeof each));
  const types = { bigint: new arrow.Int64(), number: new arrow.Float64(), boolean: new arrow.Bool(), string: new arrow.Utf8() };
  return arrow.vectorFromArray(values, kinds.size ? types[[...kinds][0]] : new arrow.Null());
}

/** A CSV file with a header; columns of whole numbers, of numbers, or of text. */
function readCsv(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.trimEnd().matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === '') break;
    if (end !== ',') rows.push([]);
  }
  const [names, ...lines] = rows;
  const columns = names.map((name, at) => [name, csvColumn(lines.map((line) => line[at] ?? ''))]);
  return new arrow.Table(Object.fromEntries(columns));
}

function csvColumn(texts) {
  const given = texts.filter((text) => text !== '');
  const all = (pattern) => given.length > 0 && given.every((text) => pattern.test(text));
  if (all(/^-?\d+$/)) return column(texts.map((text) => (text === '' ? null : BigInt(text))));
  if (all(/^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i)) return column(texts.map((text) => (text === '' ? null : Number(text))));
  return column(texts);
}

async function upload(mesh, [name, file]) {
  const table = file.endsWith('.csv') ? readCsv(readFileSync(file, 'utf8')) : arrow.tableFromIPC(readFileSync(file));
  await mesh.upload(name, table);
  print({ name, rows: table.numRows });
}

/** Starts a query, waits for one batch, cancels it in either way, and shows how its job ended. */
async function cancel(mesh, [query], { by }) {
  const info = await mesh.run({ sql: query });
  const job = decode(info.appMetadata); // an AskJob map
  const streams = info.endpoint.map((endpoint) => mesh.read(endpoint));
  await Promise.race(streams.map(hasRows));
  if (by === 'action') await mesh.action('cancel', job);
  for (const stream of streams) stream.cancel(); // the other way
  let state;
  while (['queued', 'running'].includes((state = (await mesh.action('status', job)).state))) await pause(50);
  print({ job: job.job, state });
}

/** Waits for a message with rows, or for the end; the first message is the schema. */
function hasRows(stream) {
  return new Promise((resolve) => {
    const seen = ({ dataBody }) => dataBody.length > 0 && resolve(stream.pause());
    stream.on('data', seen).once('end', resolve).once('error', resolve);
  });
}

/** The catalog: names, sizes and the nodes where it lies by the action `tables`, columns by ListFlights. */
async function showTables(mesh) {
  const columns = new Map();
  for await (const info of mesh.node().listFlights({}, mesh.headers, mesh.limits())) {
    const { schema } = arrow.RecordBatchReader.from(info.schema).open();
    columns.set(info.flightDescriptor.path.join('.'), schema.fields.map((field) => field.name));
  }
  for (const { name, kind, rows, bytes, places = [] } of (await mesh.action('tables')).tables) {
    const nodes = [...new Set(places.map((place) => place.node))].sort();
    print({ name, kind, rows, bytes, nodes, columns: columns.get(name) ?? null });
  }
}

/** Reads every map of docs/flight.md, writes it again, and says whether the bytes are the same. JavaScript has one kind of number:
 * so that 1800.0 does not become 1800, floats are kept apart on their way through. Only this check needs that. */
function checkVectors([file]) {
  const decoder = new FloatDecoder({ useBigInt64: true });
  const encoder = new FloatEncoder({ useBigInt64: true });
  for (const [, map, body] of readFileSync(file, 'utf8').matchAll(/<!-- map (\w+) -->\n(.*?)<!-- end -->/gs)) {
    const data = Buffer.from([...body.matchAll(/^ {4}([0-9a-f]+)$/gm)].map((line) => line[1]).join(''), 'hex');
    print({ map, bytes: data.length, same: data.equals(encoder.encode(decoder.decode(data))) });
  }
}

class Float {
  constructor(value) {
    this.value = value;
  }
}

class FloatDecoder extends Decoder {
  readF64() {
    return new Float(super.readF64());
  }
}

class FloatEncoder extends Encoder {
  doEncode(object, depth) {
    if (object instanceof Float) this.encodeNumberAsFloat(object.value);
    else super.doEncode(object, depth);
  }
}

/** One line for people: of a mesh's error its code, message and hint (the error map), of others what gRPC says. */
function sentence(error) {
  const [info] = error.metadata?.get?.('grpc-status-details-bin') ?? [];
  let line = error.code in grpc.status ? `${grpc.status[error.code].toLowerCase()}: ${error.details}` : `failed: ${error.message}`;
  if (info?.length) {
    const { code, message, hint, position } = decode(info);
    line = `${code}${position ? ` at ${position[0]}:${position[1]}` : ''}: ${message}${hint ? `; hint: ${hint}` : ''}`;
  } else {
    line = line.replace(/\.? Resolution note: .*/, '');
    if (/altnames/.test(line)) line += "; hint: set FLIGHTMESH_HOST_NAME to the mesh's name, such as flightmesh.flightmesh";
    else if (/certificate/.test(line)) line += '; hint: FLIGHTMESH_CA has to be the ca.pem of this mesh';
  }
  return `error: ${line.replace(/\s+/g, ' ')}`;
}

const COMMANDS = {
  sql: [1, async (mesh, [sql], { param }) => show(mesh, await mesh.run({ sql, params: parameters(param) }))],
  plan: [1, async (mesh, [file], { param }) => show(mesh, await mesh.run({ plan: readFileSync(file, 'utf8'), params: parameters(param) }))],
  upload: [2, upload],
  cancel: [1, cancel],
  tables: [0, showTables],
  vectors: [1, (_, words) => checkVectors(words)],
};
const USAGE = `usage: client.js sql QUERY [--param NAME=VALUE]... | plan FILE [--param NAME=VALUE]...
                 | upload NAME FILE.csv|FILE.arrow | cancel QUERY [--by action|drop] | tables | vectors docs/flight.md`;

async function main() {
  const options = { param: { type: 'string', multiple: true }, by: { type: 'string', default: 'action' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [count, command] = COMMANDS[positionals[0]] ?? [];
  if (command === undefined || positionals.length !== count + 1) throw new Error(USAGE);
  const { FLIGHTMESH_DRIVER, FLIGHTMESH_CA, FLIGHTMESH_TOKEN_FILE, FLIGHTMESH_HOST_NAME } = process.env;
  const mesh = new Mesh(FLIGHTMESH_DRIVER ?? 'grpc+tls://127.0.0.1:8815', FLIGHTMESH_CA, FLIGHTMESH_TOKEN_FILE, FLIGHTMESH_HOST_NAME);
  try {
    await command(mesh, positionals.slice(1), values);
  } finally {
    mesh.close();
  }
}

process.stdout.on('error', () => process.exit(1)); // nobody reads any more
main().catch((error) => {
  process.stderr.write(`${sentence(error)}\n`);
  process.exitCode = 1;
});
