/** One value of a row in the row encoding (docs/row-encoding.md). */
type RowValue = string | number | boolean | null | readonly RowValue[] | { readonly [name: string]: RowValue }

/** A row: its columns in the order in which messages name them. */
export type SampleRow = Readonly<Record<string, RowValue>>

/** A JSON text made of the row's index. */
type TextOf = (index: number) => string

/** A table of the sample. All of it is arithmetic on the row's index, so that any row can be made at any time. */
export interface SampleTable {
  readonly keyspace: string
  readonly table: string
  readonly columns: Readonly<Record<string, string>>
  readonly primaryKey: readonly [partition: readonly string[], clustering: readonly string[]]
  /** Of 20 messages, how many are about this table. */
  readonly weight: number
  row(index: number): SampleRow
  /** Other JSON texts that stand for the same value of a column. */
  readonly respell: Readonly<Record<string, TextOf>>
  /** JSON texts that stand for another value than the row has. */
  readonly alter: readonly (readonly [column: string, text: TextOf])[]
}

/** A number below 2^32 that looks random and is the same in every run (lowbias32, Wellons 2018). */
export function scatter(index: number, salt: number): number {
  let mixed = (index + Math.imul(salt, 0x9e3779b9)) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function pick<T>(list: readonly [T, ...T[]], index: number, salt: number): T {
  return list[scatter(index, salt) % list.length] ?? list[0]
}

/** Monday morning; every time in the sample is counted from here. */
export const sampleStartMs = Date.UTC(2026, 10, 2, 8)

const hourMs = 3_600_000
const json = (value: RowValue): string => JSON.stringify(value)
const iso = (timeMs: number): string => new Date(timeMs).toISOString()
/** The same moment on a clock one hour east of Greenwich. */
const isoPlusOne = (timeMs: number): string => iso(timeMs + hourMs).replace('Z', '+01:00')
const hex = (index: number, salt: number): string => scatter(index, salt).toString(16).padStart(8, '0')
const cents = (amount: number): string => `${String(Math.floor(amount / 100))}.${String(amount % 100).padStart(2, '0')}`
const escapeNonAscii = (text: string): string =>
  text.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

const names = [
  ...['Alice', 'Bruno', 'Chiara', 'Dmitri', 'Elif', 'Farah', 'Grace', 'Hiro', 'Ines', 'Jonas', 'Kofi', 'Lucía', 'Mei'],
  ...['Noor', "O'Brien", 'Paweł', 'Quinn', 'Rasa', 'Søren', 'Tuğba', 'Uma', 'Vera', 'Wanjiru', 'Xavier', 'Yūko', 'Zoë'],
  ...['李雷', 'Ann "Ace" Lee', 'Back\\slash & Sons', '<b>Bold</b>', 'Étienne 🌊', 'Ümit\tTab'],
]
const name = (index: number): string => (index === 0 ? 'alice' : (names[scatter(index, 1) % names.length] ?? 'alice'))
const respellName: TextOf = (index) => escapeNonAscii(json(name(index)))

const userAge = (index: number): number => (index === 0 ? 30 : 18 + (scatter(index, 2) % 60))
const userSince = (index: number): number => sampleStartMs - (scatter(index, 3) % 20_000) * hourMs
const userEmail = (index: number): string | null => (index % 11 === 5 ? null : `user${String(index + 123)}@example.com`)

const users: SampleTable = {
  keyspace: 'ks1',
  table: 'users',
  columns: { user_id: 'text', region: 'text', name: 'text', age: 'int', email: 'text', created_at: 'timestamp' },
  primaryKey: [['user_id'], ['region']],
  weight: 6,
  row: (index) => ({
    user_id: String(index + 123),
    region: index === 0 ? 'us-east' : pick(['us-east', 'us-west', 'eu-central', 'ap-south'], index, 4),
    name: name(index),
    age: userAge(index),
    email: userEmail(index),
    created_at: iso(userSince(index)),
  }),
  respell: {
    name: respellName,
    age: (index) => json(String(userAge(index))),
    created_at: (index) => String(userSince(index)),
  },
  alter: [
    ['age', (index) => String(userAge(index) + 1)],
    ['email', (index) => json(`new.user${String(index)}@example.com`)],
    ['name', (index) => json(`${name(index)} Jr.`)],
    ['age', () => '"unknown"'],
    ['created_at', (index) => json(iso(userSince(index) + hourMs))],
  ],
}

const creditCents = (index: number): number => (1 + (scatter(index, 5) % 400)) * 2_500
const isVip = (index: number): boolean => scatter(index, 6) % 5 === 0

const customers: SampleTable = {
  keyspace: 'ks1',
  table: 'customers',
  columns: { id: 'int', name: 'text', country: 'text', vip: 'boolean', credit_limit: 'decimal', since: 'date' },
  primaryKey: [['id'], []],
  weight: 4,
  row: (index) => ({
    id: index + 123,
    name: `${name(index)} & Co`,
    country: pick(['DE', 'FR', 'IN', 'JP', 'KE', 'LT', 'US'], index, 7),
    vip: isVip(index),
    credit_limit: cents(creditCents(index)),
    since: iso(userSince(index)).slice(0, 10),
  }),
  respell: {
    id: (index) => json(String(index + 123)),
    credit_limit: (index) => cents(creditCents(index)),
  },
  alter: [
    ['country', () => '"XX"'],
    ['vip', (index) => String(!isVip(index))],
    ['credit_limit', (index) => cents(creditCents(index) + 50_000)],
    // 125.0 and 125.00 are two decimals to Cassandra.
    ['credit_limit', (index) => cents(creditCents(index)).slice(0, -1)],
    ['name', (index) => json(`${name(index)} Ltd`)],
  ],
}

const firstOrderId = 9_007_199_254_740_993n
const orderId = (index: number): string => String(firstOrderId + BigInt(index) * 4_217n)
const orderCents = (index: number): number => 499 + (scatter(index, 8) % 90_000)
const orderNote = (index: number): string | null => (index % 3 === 0 ? 'leave at the door' : null)

const orders: SampleTable = {
  keyspace: 'shop',
  table: 'orders',
  columns: {
    order_id: 'bigint',
    customer_id: 'int',
    amount: 'decimal',
    currency: 'text',
    items: 'int',
    note: 'text',
    placed_at: 'timestamp',
  },
  primaryKey: [['order_id'], []],
  weight: 5,
  row: (index) => ({
    order_id: orderId(index),
    customer_id: 123 + (scatter(index, 9) % 90),
    amount: cents(orderCents(index)),
    currency: pick(['EUR', 'USD', 'JPY', 'INR'], index, 10),
    items: 1 + (index % 9),
    note: orderNote(index),
    placed_at: iso(sampleStartMs - index * 61_007),
  }),
  respell: {
    order_id: orderId,
    amount: (index) => cents(orderCents(index)),
    placed_at: (index) => json(isoPlusOne(sampleStartMs - index * 61_007)),
  },
  alter: [
    ['amount', (index) => cents(orderCents(index) + 1)],
    ['items', (index) => String(2 + (index % 9))],
    ['note', (index) => (orderNote(index) === null ? '"gift wrap"' : 'null')],
    ['amount', (index) => json(cents(orderCents(index) * 10))],
    ['currency', () => '"EURO"'],
  ],
}

const deviceId = (index: number): string => {
  const [a, b, c, d] = [hex(index, 11), hex(index, 12), hex(index, 13), hex(index, 14)]
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${d}`
}
const deviceTags = (index: number): readonly string[] => ['indoor', 'mains', 'metered', 'rented'].slice(0, index % 5)
const deviceAddress = (index: number): string =>
  index % 2 === 0 ? `10.0.${String(index % 250)}.${String(1 + (index % 200))}` : `2001:db8::${hex(index, 15).slice(5)}`
const deviceSamples = (index: number): readonly number[] => [index % 97, -(index % 13), index % 7]
const deviceFirmware = (index: number): string => `0x${hex(index, 16)}${hex(index, 17)}`
const deviceMaker = (index: number): string => pick(['Acme', 'Nordlicht', 'Tsukuba'], index, 18)

const devices: SampleTable = {
  keyspace: 'shop',
  table: 'devices',
  columns: {
    device_id: 'uuid',
    address: 'inet',
    attributes: 'map<text, text>',
    firmware: 'blob',
    online: 'boolean',
    samples: 'list<int>',
    tags: 'set<text>',
  },
  primaryKey: [['device_id'], []],
  weight: 2,
  row: (index) => ({
    device_id: deviceId(index),
    address: deviceAddress(index),
    attributes: { colour: index % 2 === 0 ? 'grey' : 'white', maker: deviceMaker(index) },
    firmware: deviceFirmware(index),
    online: index % 4 !== 3,
    samples: deviceSamples(index),
    tags: deviceTags(index),
  }),
  respell: {
    device_id: (index) => json(deviceId(index).toUpperCase()),
    address: (index) => json(deviceAddress(index).replace('::', ':0:0:0:0:0:').toUpperCase()),
    attributes: (index) => json({ maker: deviceMaker(index), colour: index % 2 === 0 ? 'grey' : 'white' }),
    firmware: (index) => json(`0x${deviceFirmware(index).slice(2).toUpperCase()}`),
    // A set has neither order nor repetition.
    tags: (index) => json([...deviceTags(index).toReversed(), ...deviceTags(index)]),
  },
  alter: [
    ['online', (index) => String(index % 4 === 3)],
    ['tags', (index) => json([...deviceTags(index), 'recalled'])],
    // A list has an order.
    ['samples', (index) => json([...deviceSamples(index), 0])],
    ['attributes', (index) => json({ maker: deviceMaker(index) })],
    ['address', () => '"192.0.2.7"'],
  ],
}

const readingAt = (index: number): number => sampleStartMs + Math.floor(index / 40) * 60_000
const celsius = (index: number): number => (150 + (scatter(index, 19) % 120)) / 10

const readings: SampleTable = {
  keyspace: 'shop',
  table: 'readings',
  columns: { sensor: 'text', at: 'timestamp', celsius: 'double', humidity: 'float', quality: 'tinyint' },
  primaryKey: [['sensor'], ['at']],
  weight: 3,
  row: (index) => ({
    sensor: `sensor-${String(index % 40).padStart(3, '0')}`,
    at: iso(readingAt(index)),
    celsius: celsius(index),
    humidity: (300 + (scatter(index, 20) % 500)) / 10,
    quality: scatter(index, 21) % 3,
  }),
  respell: {
    at: (index) => (index % 2 === 0 ? String(readingAt(index)) : json(isoPlusOne(readingAt(index)))),
    celsius: (index) => `${String(Math.round(celsius(index) * 10))}e-1`,
  },
  alter: [
    ['celsius', (index) => String(celsius(index) + 0.5)],
    ['quality', (index) => String(-1 - (index % 3))],
    ['celsius', () => '"NaN"'],
    ['humidity', () => 'null'],
  ],
}

export const sampleTables: readonly SampleTable[] = [users, customers, orders, devices, readings]
