/** Servers that are known by the first bytes they send. */
const peers: readonly { readonly begins: (bytes: Buffer) => boolean; readonly what: string }[] = [
  { begins: (bytes) => bytes.toString('latin1', 0, 5) === 'HTTP/', what: 'an HTTP server' },
  // A record of TLS: alert or handshake, version 3.x.
  { begins: ([type, major]) => (type === 21 || type === 22) && major === 3, what: 'a server that wants TLS' },
  { begins: (bytes) => bytes.toString('latin1', 0, 4) === 'SSH-', what: 'an SSH server' },
  // An answer in Cassandra's native protocol: the version with its highest bit set, flags, stream, opcode ERROR or SUPPORTED.
  {
    begins: ([version = 0, flags = 0, , , opcode = 0]) =>
      version >= 0x81 && version <= 0x86 && flags < 32 && (opcode === 0 || opcode === 6),
    what: 'Cassandra',
  },
  { begins: (bytes) => /^[\x20-\x7e\r\n]{4}/.test(bytes.toString('latin1', 0, 4)), what: 'a server that speaks text' },
]

/**
 * What seems to have sent these first bytes, where a server of another kind was expected; null: no telling. Nothing of
 * the bytes is quoted: they may hold anything.
 */
export function foreignPeer(bytes: Buffer): string | null {
  return peers.find(({ begins }) => begins(bytes))?.what ?? null
}
