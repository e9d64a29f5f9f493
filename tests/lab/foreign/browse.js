// Asks for the flightmesh nodes of this LAN with an mDNS implementation that is not ours. Prints the records that it was
// given as one line of JSON a packet, until it has the service, text and address records of as many nodes as the second argument
// says. Arguments: the address of the interface, how many nodes.
const mdns = require("multicast-dns")({ interface: process.argv[2], bind: "0.0.0.0" });
const wanted = Number(process.argv[3]);
const services = new Set();
const texts = new Set();
const addresses = new Set();

function text(data) {
  return [].concat(data).map((each) => each.toString());
}

function ask() {
  mdns.query({ questions: [{ name: "_flightmesh._tcp.local", type: "PTR" }] });
}

mdns.on("response", (packet) => {
  const records = packet.answers.concat(packet.additionals).map((record) => {
    const data = record.type === "TXT" ? text(record.data) : record.data;
    return { name: record.name, type: record.type, ttl: record.ttl, data };
  });
  console.log(JSON.stringify(records));
  for (const record of records) {
    if (record.type === "SRV") services.add(record.name);
    if (record.type === "TXT") texts.add(record.name);
    if (record.type === "A") addresses.add(record.name);
  }
  if (Math.min(services.size, texts.size, addresses.size) >= wanted) {
    mdns.destroy();
    clearInterval(again);
    clearTimeout(late);
  }
});

const again = setInterval(ask, 1000);
const late = setTimeout(() => {
  console.error(`found ${services.size} services, ${texts.size} texts and ${addresses.size} addresses of ${wanted}`);
  process.exit(1);
}, 20000);
mdns.on("ready", ask);
