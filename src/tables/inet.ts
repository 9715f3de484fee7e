import type { Conversion } from './cqlType.ts'

const ipv4Source = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/
const groupSource = /^[0-9a-fA-F]{1,4}$/
const longestIpv6 = 45

/**
 * An address: IPv4 as four decimal numbers, IPv6 as RFC 5952 writes it (lower case, the longest run of zero groups
 * shortened). An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, as Cassandra stores it. Not read: host
 * names, zones, leading zeros and fewer than four numbers in IPv4.
 */
export const inetText: Conversion = (value) => {
  if (typeof value !== 'string' || value.length > longestIpv6) return undefined
  if (ipv4Source.test(value)) return value
  const groups = parseIpv6(value)
  return groups === undefined ? undefined : formatIpv6(groups)
}

/** The groups of one side of `::`; undefined when it is malformed. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    if (groupSource.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else if (mayEndInIpv4 && index === parts.length - 1 && ipv4Source.test(part)) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
      groups.push(a * 256 + b, c * 256 + d)
    } else {
      return undefined
    }
  }
  return groups
}

/** The eight groups of an IPv6 address; undefined for any other text. */
export function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [headText = '', tailText] = halves
  const head = parseGroups(headText, tailText === undefined)
  if (tailText === undefined) return head?.length === 8 ? head : undefined
  const tail = parseGroups(tailText, true)
  if (head === undefined || tail === undefined) return undefined
  const zeros = 8 - head.length - tail.length
  return zeros < 1 ? undefined : [...head, ...new Array<number>(zeros).fill(0), ...tail]
}

/** Start and length of the first longest run of zeros. */
function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  let length = 0
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0
    if (length > best.length) best = { start: index - length + 1, length }
  }
  return best
}

function formatIpv6(groups: readonly number[]): string {
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (isMapped) {
    const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 255])
    return bytes.join('.')
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  const { start, length } = longestZeroRun(groups)
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
}
