import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * What a process holds open, counted by what it is: a path, `pipe`, `socket to <port>`, … Only Linux tells; elsewhere it is
 * empty.
 */
export function openFiles(pid: number): ReadonlyMap<string, number> {
  if (process.platform !== 'linux') return new Map()
  const directory = `/proc/${String(pid)}/fd`
  const ports = remotePorts(pid)
  const counts = new Map<string, number>()
  for (const entry of readdirSync(directory)) {
    const kind = kindOf(targetOf(`${directory}/${entry}`), ports)
    if (kind !== null) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** What there is more of than there was. */
export function leaked(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): readonly string[] {
  return [...after]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${kind}: ${String(before.get(kind) ?? 0)} before, ${String(count)} now`)
}

function targetOf(link: string): string | null {
  try {
    return readlinkSync(link)
  } catch {
    // Closed between two looks.
    return null
  }
}

function kindOf(seen: string | null, ports: ReadonlyMap<string, number>): string | null {
  // Another process that tries a slot which is held moves the log of LevelDB's own away, under its holder.
  const target = seen?.replace(/\/LOG(\.old)?( \(deleted\))?$/, '/LOG') ?? null
  const [, kind, inode] = /^(\w+):\[(\d+)\]$/.exec(target ?? '') ?? []
  if (kind === undefined || inode === undefined) return target
  const port = ports.get(inode)
  return port === undefined ? kind : `${kind} to ${String(port)}`
}

/** Remote ports of TCP connections by inode. */
function remotePorts(pid: number): ReadonlyMap<string, number> {
  const lines = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${String(pid)}/net/${table}`, 'utf8').split('\n'),
  )
  return new Map(
    lines.flatMap((line) => {
      const [, , remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/)
      const [, port] = /:([0-9A-F]{4})$/.exec(remote) ?? []
      return port === undefined ? [] : [[inode, Number.parseInt(port, 16)] as const]
    }),
  )
}
