// A client of flightmesh in C++20 on Arrow's own libraries: SQL, YAML plans, uploads, cancelling, the catalog.
//
// Handed a command on the command line and the mesh by environment variables (see README.md); hands on lines of JSON. What
// always holds: the mesh's CA and the token go with every call, to the driver and to the workers alike; results are read batch by
// batch, from all endpoints side by side, with bounded memory; what goes wrong is one line on stderr and exit code 1.

#include <arrow/api.h>
#include <arrow/csv/api.h>
#include <arrow/flight/client.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>

#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace flight = arrow::flight;
using arrow::Result, arrow::Status, std::string, std::string_view, std::vector;

// msgpack, as much of it as the mesh speaks: nil, booleans, integers, 64-bit floats, text, bytes, lists, maps with text keys.

struct Bytes {
  string data;
};
struct Value;
using List = vector<Value>;
using Map = vector<std::pair<string, Value>>;
struct Value : std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, string, Bytes, List, Map> {
  using variant::variant;
};

class Packer {
 public:
  string out;

  void Add(const Value& value) {
    std::visit([this](const auto& given) { Add(given); }, static_cast<const Value::variant&>(value));
  }

 private:
  void Add(std::nullptr_t) { Byte(0xc0); }
  void Add(bool given) { Byte(given ? 0xc3 : 0xc2); }
  void Add(double given) { Byte(0xcb), Big(std::bit_cast<uint64_t>(given), 8); }
  void Add(uint64_t given) {
    if (given < 0x80) Byte(given);
    else Sized(given, {{0xcc, 1}, {0xcd, 2}, {0xce, 4}, {0xcf, 8}});
  }
  void Add(int64_t given) {
    if (given >= 0) return Add(static_cast<uint64_t>(given));
    if (given >= -32) return Byte(static_cast<uint8_t>(given));
    const int wide = given >= INT8_MIN ? 0 : given >= INT16_MIN ? 1 : given >= INT32_MIN ? 2 : 3;
    Byte(0xd0 + wide), Big(static_cast<uint64_t>(given), 1 << wide);
  }
  void Add(const string& given) {
    if (given.size() < 32) Byte(0xa0 | given.size());
    else Sized(given.size(), {{0xd9, 1}, {0xda, 2}, {0xdb, 4}});
    out += given;
  }
  void Add(const Bytes& given) { Sized(given.data.size(), {{0xc4, 1}, {0xc5, 2}, {0xc6, 4}}), out += given.data; }
  void Add(const List& given) {
    if (given.size() < 16) Byte(0x90 | given.size());
    else Sized(given.size(), {{0xdc, 2}, {0xdd, 4}});
    for (const Value& each : given) Add(each);
  }
  void Add(const Map& given) {
    if (given.size() < 16) Byte(0x80 | given.size());
    else Sized(given.size(), {{0xde, 2}, {0xdf, 4}});
    for (const auto& [key, each] : given) Add(key), Add(each);
  }

  void Byte(uint64_t given) { out.push_back(static_cast<char>(given)); }
  void Big(uint64_t given, int width) {
    for (int at = width - 1; at >= 0; --at) Byte(given >> (8 * at) & 0xff);
  }
  void Sized(uint64_t given, std::initializer_list<std::pair<uint8_t, int>> forms) {  // the shortest form that it fits into
    for (const auto& [mark, width] : forms)
      if (width == 8 || given >> (8 * width) == 0) return Byte(mark), Big(given, width);
  }
};

class Unpacker {
 public:
  explicit Unpacker(string_view data) : rest_(data) {}

  Result<Value> Next() {
    ARROW_ASSIGN_OR_RAISE(const uint64_t mark, Big(1));
    if (mark < 0x80) return static_cast<int64_t>(mark);
    if (mark < 0x90) return Pairs(mark & 0x0f);
    if (mark < 0xa0) return Items(mark & 0x0f);
    if (mark < 0xc0) return Text(mark & 0x1f);
    if (mark >= 0xe0) return static_cast<int64_t>(static_cast<int8_t>(mark));
    switch (mark) {
      case 0xc0: return nullptr;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return Sized(&Unpacker::Binary, 1 << (mark - 0xc4));
      case 0xcb: return Number(8, [](uint64_t got) { return std::bit_cast<double>(got); });
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return Number(1 << (mark - 0xcc), [](uint64_t got) { return got; });
      case 0xd0: return Number(1, [](uint64_t got) { return int64_t{static_cast<int8_t>(got)}; });
      case 0xd1: return Number(2, [](uint64_t got) { return int64_t{static_cast<int16_t>(got)}; });
      case 0xd2: return Number(4, [](uint64_t got) { return int64_t{static_cast<int32_t>(got)}; });
      case 0xd3: return Number(8, [](uint64_t got) { return static_cast<int64_t>(got); });
      case 0xd9: case 0xda: case 0xdb: return Sized(&Unpacker::Text, 1 << (mark - 0xd9));
      case 0xdc: case 0xdd: return Sized(&Unpacker::Items, 2 << (mark - 0xdc));
      case 0xde: case 0xdf: return Sized(&Unpacker::Pairs, 2 << (mark - 0xde));
      default: return Status::Invalid("msgpack of a kind that the mesh does not speak: ", mark);
    }
  }

 private:
  Result<string> Raw(uint64_t size) {
    if (size > rest_.size()) return Status::Invalid("msgpack that ends too early");
    string taken(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return taken;
  }
  Result<uint64_t> Big(int width) {
    ARROW_ASSIGN_OR_RAISE(const string raw, Raw(width));
    uint64_t sum = 0;
    for (const char byte : raw) sum = sum << 8 | static_cast<uint8_t>(byte);
    return sum;
  }
  template <typename As>
  Result<Value> Number(int width, As as) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t got, Big(width));
    return as(got);
  }
  Result<Value> Sized(Result<Value> (Unpacker::*read)(uint64_t), int width) {
    ARROW_ASSIGN_OR_RAISE(const uint64_t size, Big(width));
    return (this->*read)(size);
  }
  Result<Value> Text(uint64_t size) { return Raw(size); }
  Result<Value> Binary(uint64_t size) {
    ARROW_ASSIGN_OR_RAISE(string raw, Raw(size));
    return Bytes{std::move(raw)};
  }
  Result<Value> Items(uint64_t size) {
    List list;
    for (; size > 0; --size) {
      ARROW_ASSIGN_OR_RAISE(Value each, Next());
      list.push_back(std::move(each));
    }
    return list;
  }
  Result<Value> Pairs(uint64_t size) {
    Map map;
    for (; size > 0; --size) {
      ARROW_ASSIGN_OR_RAISE(Value key, Next());
      ARROW_ASSIGN_OR_RAISE(Value each, Next());
      if (!std::holds_alternative<string>(key)) return Status::Invalid("a msgpack map whose key is no text");
      map.emplace_back(std::get<string>(key), std::move(each));
    }
    return map;
  }

  string_view rest_;
};

string Pack(const Value& value) {
  Packer packer;
  packer.Add(value);
  return std::move(packer.out);
}

Result<Value> Unpack(string_view data) { return Unpacker(data).Next(); }

/// A field of a map; nil where it is not there.
Value Field(const Value& map, string_view name) {
  if (const Map* fields = std::get_if<Map>(&map))
    for (const auto& [key, value] : *fields)
      if (key == name) return value;
  return nullptr;
}

/// JSON, for what is shown.
string Quoted(string_view text) {
  std::ostringstream out;
  out << '"';
  for (const char each : text) {
    const auto code = static_cast<uint8_t>(each);
    if (each == '"' || each == '\\') out << '\\' << each;
    else if (code < 0x20) out << "\\u00" << "0123456789abcdef"[code >> 4] << "0123456789abcdef"[code & 15];
    else out << each;
  }
  out << '"';
  return out.str();
}

string Number(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char digits[32];
  return string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);  // the shortest that reads back the same
}

string Json(const Value& value) {
  if (const auto* text = std::get_if<string>(&value)) return Quoted(*text);
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<uint64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value)) return Number(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  return "null";
}

string Names(const arrow::Schema& schema) {
  string out;
  for (const string& name : schema.field_names()) out += (out.empty() ? "" : ", ") + Quoted(name);
  return "[" + out + "]";
}

/// One value of a column: numbers, booleans and nulls as JSON has them; NaN, dates, decimals and the rest as text.
Result<string> Cell(const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return "null";
  const auto kind = column.type_id();
  if (kind == arrow::Type::STRING) return Quoted(static_cast<const arrow::StringArray&>(column).GetView(row));
  if (kind == arrow::Type::DOUBLE) return Number(static_cast<const arrow::DoubleArray&>(column).Value(row));
  ARROW_ASSIGN_OR_RAISE(const auto value, column.GetScalar(row));
  if (kind == arrow::Type::FLOAT) return Number(static_cast<const arrow::FloatScalar&>(*value).value);
  return arrow::is_integer(kind) || kind == arrow::Type::BOOL ? value->ToString() : Quoted(value->ToString());
}

/// A driver, and the workers that its answers name. Any thread may call.
class Mesh {
 public:
  Mesh(string uri, string ca, const string& token, string host_name)
      : uri_(uri.find("://") == string::npos ? "grpc+tls://" + uri : std::move(uri)) {
    connecting_.tls_root_certs = std::move(ca);
    connecting_.override_hostname = std::move(host_name);
    connecting_.generic_options = {{"grpc.http2.bdp_probe", 0}, {"grpc.http2.lookahead_bytes", 8 << 20}};  // bounded buffers
    if (!token.empty()) calling_.headers = {{"authorization", "Bearer " + token}};
  }

  /// The connection to the node that holds an endpoint; one that names no address is the driver's own.
  Result<flight::FlightClient*> Node(const vector<flight::Location>& places = {}) {
    string uri = uri_;
    for (const auto& place : places)
      if (place.scheme().starts_with("grpc")) uri = place.ToString();
    const std::lock_guard lock(mutex_);
    auto& connection = connections_[uri];
    if (connection == nullptr) {
      ARROW_ASSIGN_OR_RAISE(const auto location, flight::Location::Parse(uri));
      ARROW_ASSIGN_OR_RAISE(connection, flight::FlightClient::Connect(location, connecting_));
    }
    return connection.get();
  }

  /// What goes with every call; streams of rows may take as long as they take.
  flight::FlightCallOptions Options(double seconds = 60) const {
    flight::FlightCallOptions options = calling_;
    options.timeout = flight::TimeoutDuration(seconds);
    return options;
  }

  /// The driver's answer to an action.
  Result<Value> Action(const string& name, const string& body = "") {
    ARROW_ASSIGN_OR_RAISE(auto* driver, Node());
    ARROW_ASSIGN_OR_RAISE(const auto answers, driver->DoAction(Options(), {name, arrow::Buffer::FromString(body)}));
    ARROW_ASSIGN_OR_RAISE(const auto answer, answers->Next());
    if (answer == nullptr) return Status::Invalid("no answer to ", name);
    return Unpack(string_view(*answer->body));
  }

  /// Starts a query and names its endpoints; `what` is a Run map.
  Result<std::unique_ptr<flight::FlightInfo>> Run(const Map& what) {
    ARROW_ASSIGN_OR_RAISE(auto* driver, Node());
    return driver->GetFlightInfo(Options(), flight::FlightDescriptor::Command(Pack(what)));
  }

  /// The rows of one endpoint.
  Result<std::unique_ptr<flight::FlightStreamReader>> Read(const flight::FlightEndpoint& endpoint) {
    ARROW_ASSIGN_OR_RAISE(auto* node, Node(endpoint.locations));
    return node->DoGet(Options(-1), endpoint.ticket);
  }

  /// Makes a table of the mesh; returns when it is there.
  Status Upload(const string& name, const arrow::Table& table) {
    ARROW_ASSIGN_OR_RAISE(auto* driver, Node());
    ARROW_ASSIGN_OR_RAISE(auto put, driver->DoPut(Options(-1), flight::FlightDescriptor::Path({name}), table.schema()));
    Status status = put.writer->WriteTable(table, 65'536);
    if (status.ok()) status = put.writer->DoneWriting();
    std::shared_ptr<arrow::Buffer> done;
    if (status.ok()) status = put.reader->ReadMetadata(&done);
    const Status closed = put.writer->Close();  // the mesh's own error, where there is one
    return closed.ok() ? status : closed;
  }

 private:
  const string uri_;
  flight::FlightClientOptions connecting_ = flight::FlightClientOptions::Defaults();
  flight::FlightCallOptions calling_;
  std::mutex mutex_;
  std::map<string, std::unique_ptr<flight::FlightClient>> connections_;
};

/// The batches of all endpoints, each read by a thread of its own: as they come, or one endpoint after the other where the result
/// is ordered. Dropping it before the end drops the streams, and that cancels the query.
class Batches {
 public:
  Batches(Mesh& mesh, const flight::FlightInfo& info) : mesh_(mesh), ordered_(info.ordered()), pulls_(info.endpoints().size()) {
    for (size_t at = 0; at < pulls_.size(); ++at)
      threads_.emplace_back([this, at, endpoint = info.endpoints()[at]] { Pull(pulls_[at], endpoint); });
  }

  ~Batches() {
    {
      const std::lock_guard lock(mutex_);
      unwanted_ = true;
      for (const Source& pull : pulls_)
        if (pull.reader != nullptr && !pull.ended) pull.reader->Cancel();
    }
    changed_.notify_all();
  }

  /// Null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> Next() {
    std::unique_lock lock(mutex_);
    while (true) {
      bool all_ended = true;
      for (Source& pull : pulls_) {
        if (!pull.waiting.empty()) {
          auto batch = std::move(pull.waiting.front());
          pull.waiting.pop_front();
          changed_.notify_all();
          return batch;
        }
        all_ended = all_ended && pull.ended;
        if (ordered_ && !pull.ended) break;
      }
      ARROW_RETURN_NOT_OK(failure_);
      if (all_ended) return nullptr;
      changed_.wait(lock);
    }
  }

 private:
  struct Source {
    std::deque<std::shared_ptr<arrow::RecordBatch>> waiting;
    std::unique_ptr<flight::FlightStreamReader> reader;
    bool ended = false;
  };
  static constexpr size_t kWaiting = 8;

  void Pull(Source& into, const flight::FlightEndpoint& endpoint) {
    const Status status = PullAll(into, endpoint);
    const std::lock_guard lock(mutex_);
    into.ended = true;
    if (failure_.ok()) failure_ = status;
    changed_.notify_all();
  }

  Status PullAll(Source& into, const flight::FlightEndpoint& endpoint) {
    ARROW_ASSIGN_OR_RAISE(auto opened, mesh_.Read(endpoint));
    std::unique_lock lock(mutex_);
    into.reader = std::move(opened);
    while (!unwanted_) {
      lock.unlock();
      ARROW_ASSIGN_OR_RAISE(auto chunk, into.reader->Next());
      lock.lock();
      if (chunk.data == nullptr && chunk.app_metadata == nullptr) return Status::OK();
      if (chunk.data == nullptr) continue;
      changed_.wait(lock, [&] { return unwanted_ || into.waiting.size() < kWaiting; });
      into.waiting.push_back(std::move(chunk.data));
      changed_.notify_all();
    }
    return Status::OK();
  }

  Mesh& mesh_;
  const bool ordered_;
  std::mutex mutex_;
  std::condition_variable changed_;
  vector<Source> pulls_;
  Status failure_;
  bool unwanted_ = false;
  vector<std::jthread> threads_;  // the last member: joined first
};

/// The result as lines of JSON: the names of the columns, then a list a row.
Status Show(Mesh& mesh, const flight::FlightInfo& info) {
  arrow::ipc::DictionaryMemo memo;
  ARROW_ASSIGN_OR_RAISE(const auto schema, info.GetSchema(&memo));
  std::cout << Names(*schema) << "\n";
  Batches batches(mesh, info);
  while (std::cout) {
    ARROW_ASSIGN_OR_RAISE(const auto batch, batches.Next());
    if (batch == nullptr) return Status::OK();
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      for (int at = 0; at < batch->num_columns(); ++at) {
        ARROW_ASSIGN_OR_RAISE(const string cell, Cell(*batch->column(at), row));
        std::cout << (at == 0 ? "[" : ", ") << cell;
      }
      std::cout << "]\n";
    }
  }
  return Status::IOError("nobody reads the rows any more");
}

/// The value of a parameter: a number, true, false, null, or text.
std::shared_ptr<arrow::Scalar> Parameter(const string& text) {
  const char* end = text.data() + text.size();
  int64_t whole;
  double number;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end)
    return arrow::MakeScalar(whole);
  if (const auto read = std::from_chars(text.data(), end, number); read.ec == std::errc() && read.ptr == end)
    return arrow::MakeScalar(number);
  if (text == "true" || text == "false") return arrow::MakeScalar(text == "true");
  if (text == "null") return std::make_shared<arrow::NullScalar>();
  const bool quoted = text.size() > 1 && text.front() == '"' && text.back() == '"';
  return arrow::MakeScalar(quoted ? text.substr(1, text.size() - 2) : text);
}

/// An Arrow stream of one row: a column for each NAME=VALUE.
Result<Value> Parameters(const vector<string>& given) {
  if (given.empty()) return nullptr;
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const string& pair : given) {
    const size_t equals = std::min(pair.find('='), pair.size());
    ARROW_ASSIGN_OR_RAISE(columns.emplace_back(),
                          arrow::MakeArrayFromScalar(*Parameter(pair.substr(std::min(equals + 1, pair.size()))), 1));
    fields.push_back(arrow::field(pair.substr(0, equals), columns.back()->type()));
  }
  const auto batch = arrow::RecordBatch::Make(arrow::schema(fields), 1, columns);
  ARROW_ASSIGN_OR_RAISE(const auto sink, arrow::io::BufferOutputStream::Create());
  ARROW_ASSIGN_OR_RAISE(const auto writer, arrow::ipc::MakeStreamWriter(sink, batch->schema()));
  ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batch));
  ARROW_RETURN_NOT_OK(writer->Close());
  ARROW_ASSIGN_OR_RAISE(const auto stream, sink->Finish());
  return Bytes{stream->ToString()};
}

Result<string> FileText(const string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::IOError("cannot read ", path);
  return string(std::istreambuf_iterator<char>(file), {});
}

Result<std::shared_ptr<arrow::Table>> FileTable(const string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto file, arrow::io::ReadableFile::Open(path));
  if (!path.ends_with(".csv")) {
    ARROW_ASSIGN_OR_RAISE(const auto reader, arrow::ipc::RecordBatchFileReader::Open(file));
    return reader->ToTable();
  }
  ARROW_ASSIGN_OR_RAISE(
      const auto reader, arrow::csv::TableReader::Make(arrow::io::default_io_context(), file, arrow::csv::ReadOptions::Defaults(),
                                                       arrow::csv::ParseOptions::Defaults(), arrow::csv::ConvertOptions::Defaults()));
  return reader->Read();
}

/// The command line: a command's words, and its options.
struct Given {
  vector<string> words;
  vector<string> params;
  string by = "action";
};

Status RunSql(Mesh& mesh, const Given& given) {
  ARROW_ASSIGN_OR_RAISE(Value params, Parameters(given.params));
  ARROW_ASSIGN_OR_RAISE(const auto info, mesh.Run({{"sql", given.words[0]}, {"params", std::move(params)}}));
  return Show(mesh, *info);
}

Status RunPlan(Mesh& mesh, const Given& given) {
  ARROW_ASSIGN_OR_RAISE(Value params, Parameters(given.params));
  ARROW_ASSIGN_OR_RAISE(string plan, FileText(given.words[0]));
  ARROW_ASSIGN_OR_RAISE(const auto info, mesh.Run({{"plan", std::move(plan)}, {"params", std::move(params)}}));
  return Show(mesh, *info);
}

Status Upload(Mesh& mesh, const Given& given) {
  ARROW_ASSIGN_OR_RAISE(const auto table, FileTable(given.words[1]));
  ARROW_RETURN_NOT_OK(mesh.Upload(given.words[0], *table));
  std::cout << "{\"name\": " << Quoted(given.words[0]) << ", \"rows\": " << table->num_rows() << "}\n";
  return Status::OK();
}

/// Starts a query, waits for one batch, cancels it in either way, and shows how its job ended.
Status Cancel(Mesh& mesh, const Given& given) {
  ARROW_ASSIGN_OR_RAISE(const auto info, mesh.Run({{"sql", given.words[0]}}));
  const string& job = info->app_metadata();  // an AskJob map
  {
    Batches batches(mesh, *info);
    ARROW_RETURN_NOT_OK(batches.Next());
    if (given.by == "action") ARROW_RETURN_NOT_OK(mesh.Action("cancel", job));
  }  // drops the streams, and that is the other way
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const Value status, mesh.Action("status", job));
    const string state = Json(Field(status, "state"));
    if (state != "\"queued\"" && state != "\"running\"") {
      std::cout << "{\"job\": " << Json(Field(status, "job")) << ", \"state\": " << state << "}\n";
      return Status::OK();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// The catalog: names, sizes and the nodes where it lies by the action `tables`, columns by ListFlights.
Status ShowTables(Mesh& mesh, const Given&) {
  ARROW_ASSIGN_OR_RAISE(auto* driver, mesh.Node());
  ARROW_ASSIGN_OR_RAISE(const auto listing, driver->ListFlights(mesh.Options(), {}));
  std::map<string, string> columns;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto info, listing->Next());
    if (info == nullptr) break;
    arrow::ipc::DictionaryMemo memo;
    ARROW_ASSIGN_OR_RAISE(const auto schema, info->GetSchema(&memo));
    string name;
    for (const string& part : info->descriptor().path) name += (name.empty() ? "" : ".") + part;
    columns[name] = Names(*schema);
  }
  ARROW_ASSIGN_OR_RAISE(const Value answer, mesh.Action("tables"));
  const Value tables = Field(answer, "tables");
  for (const Value& table : std::get<List>(tables)) {
    std::cout << "{";
    for (const string name : {"name", "kind", "rows", "bytes"}) std::cout << Quoted(name) << ": " << Json(Field(table, name)) << ", ";
    const Value name = Field(table, "name");
    const auto found = columns.find(std::get<string>(name));
    std::set<string> nodes;
    const Value places = Field(table, "places");
    if (const List* listed = std::get_if<List>(&places))
      for (const Value& place : *listed) nodes.insert(Json(Field(place, "node")));
    std::cout << "\"nodes\": [";
    for (const char* comma = ""; const string& node : nodes) std::cout << std::exchange(comma, ", ") << node;
    std::cout << "], \"columns\": " << (found == columns.end() ? "null" : found->second) << "}\n";
  }
  return Status::OK();
}

/// Reads every map of docs/flight.md, writes it again, and says whether the bytes are the same.
Status CheckVectors(const string& path) {
  ARROW_ASSIGN_OR_RAISE(const string document, FileText(path));
  std::istringstream lines(document);
  const string begin = "<!-- map ", end = "<!-- end -->";
  string map, data;
  for (string line; std::getline(lines, line);) {
    if (line.starts_with(begin)) map = line.substr(begin.size(), line.rfind(" -->") - begin.size()), data.clear();
    if (!map.empty() && line.starts_with("    "))
      for (size_t at = 4; at + 1 < line.size(); at += 2) data.push_back(static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16)));
    if (line != end || map.empty()) continue;
    ARROW_ASSIGN_OR_RAISE(const Value value, Unpack(data));
    std::cout << "{\"map\": " << Quoted(map) << ", \"bytes\": " << data.size()
              << ", \"same\": " << (Pack(value) == data ? "true" : "false") << "}\n";
    map.clear();
  }
  return Status::OK();
}

/// One line for people: of a mesh's error its code, message and hint (the error map), of others what Flight says.
string Sentence(const Status& status) {
  const auto detail = flight::FlightStatusDetail::UnwrapStatus(status);
  string line = status.message().substr(0, status.message().find(". gRPC client debug context"));
  if (const size_t prefix = line.find("with message: "); prefix != string::npos) line = line.substr(prefix + 14);
  const auto told = Unpack(detail == nullptr ? "" : detail->extra_info());
  const auto text = [&](const char* field) {
    const Value value = Field(*told, field);
    return std::holds_alternative<string>(value) ? std::get<string>(value) : string();
  };
  if (told.ok()) {
    const Value position = Field(*told, "position");
    const List* at = std::get_if<List>(&position);
    const string hint = text("hint");
    line = text("code") + (at == nullptr ? "" : " at " + Json((*at)[0]) + ":" + Json((*at)[1])) + ": " + text("message") +
           (hint.empty() ? "" : "; hint: " + hint);
  } else {
    const std::map<flight::FlightStatusCode, string> words = {{flight::FlightStatusCode::Unavailable, "unavailable"},
                                                              {flight::FlightStatusCode::Unauthenticated, "unauthenticated"},
                                                              {flight::FlightStatusCode::Unauthorized, "permission_denied"},
                                                              {flight::FlightStatusCode::TimedOut, "deadline_exceeded"},
                                                              {flight::FlightStatusCode::Cancelled, "cancelled"}};
    const auto word = detail == nullptr ? words.end() : words.find(detail->code());
    line = (word == words.end() ? "failed" : word->second) + ": " + line;
    if (line.find("not in peer certificate") != string::npos)
      line += "; hint: set FLIGHTMESH_HOST_NAME to the mesh's name, such as flightmesh.flightmesh";
    else if (line.find("certificate") != string::npos) line += "; hint: FLIGHTMESH_CA has to be the ca.pem of this mesh";
  }
  for (char& each : line)
    if (each == '\n' || each == '\r') each = ' ';
  return "error: " + line;
}

string Environment(const char* name, const char* otherwise = "") {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

Result<string> EnvironmentFile(const char* name) {
  const string path = Environment(name);
  if (path.empty()) return string();
  ARROW_ASSIGN_OR_RAISE(string text, FileText(path));
  text.erase(text.find_last_not_of(" \r\n") + 1);
  return text;
}

constexpr char kUsage[] =
    "usage: client sql QUERY [--param NAME=VALUE]... | plan FILE [--param NAME=VALUE]... | upload NAME FILE.csv|FILE.arrow"
    " | cancel QUERY [--by action|drop] | tables | vectors docs/flight.md";

Status Main(const vector<string>& arguments) {
  Given given;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const bool more = at + 1 < arguments.size();
    if (arguments[at] == "--param" && more) given.params.push_back(arguments[++at]);
    else if (arguments[at] == "--by" && more) given.by = arguments[++at];
    else given.words.push_back(arguments[at]);
  }
  const std::map<string, std::pair<size_t, Status (*)(Mesh&, const Given&)>> commands = {
      {"sql", {1, RunSql}}, {"plan", {1, RunPlan}}, {"upload", {2, Upload}}, {"cancel", {1, Cancel}}, {"tables", {0, ShowTables}}};
  const string name = given.words.empty() ? "" : given.words[0];
  if (name == "vectors" && given.words.size() == 2) return CheckVectors(given.words[1]);
  const auto command = commands.find(name);
  if (command == commands.end() || given.words.size() != command->second.first + 1) return Status::Invalid(kUsage);
  given.words.erase(given.words.begin());
  ARROW_ASSIGN_OR_RAISE(string ca, EnvironmentFile("FLIGHTMESH_CA"));
  ARROW_ASSIGN_OR_RAISE(const string token, EnvironmentFile("FLIGHTMESH_TOKEN_FILE"));
  Mesh mesh(Environment("FLIGHTMESH_DRIVER", "grpc+tls://127.0.0.1:8815"), std::move(ca), token,
            Environment("FLIGHTMESH_HOST_NAME"));
  return command->second.second(mesh, given);
}

int main(int count, char** words) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // what gRPC has to say comes with the errors
  std::ios::sync_with_stdio(false);
  Status status;
  try {
    status = Main({words + 1, words + count});
  } catch (const std::exception& error) {  // an answer that is not what docs/flight.md says
    status = Status::UnknownError(error.what());
  }
  std::cout.flush();
  if (!status.ok()) std::cerr << Sentence(status) << "\n";
  return status.ok() ? 0 : 1;
}
