/**
 * How Cassandra 5.0.6 reads spellings in JSON, as `INSERT … fromJson(…)` and a SELECT in the row encoding have shown;
 * spellingsInCassandra.test.ts asks the real one. Null: it refuses them.
 */
export interface Spelling {
  readonly type: string
  /** JSON text. */
  readonly json: string
  /** The canonical text that Cassandra's value has. */
  readonly cassandra: string | null
  /** Ours, where it is another one on purpose; null: refused. docs/row-encoding.md says why. */
  readonly ours?: string | null
}

const read = (type: string, json: string, cassandra: string): Spelling => ({ type, json, cassandra })
const refusedBoth = (type: string, json: string): Spelling => ({ type, json, cassandra: null })
const strict = (type: string, json: string, cassandra: string): Spelling => ({ type, json, cassandra, ours: null })
const other = (type: string, json: string, cassandra: string | null, ours: string): Spelling => ({
  type,
  json,
  cassandra,
  ours,
})

export const spellings: readonly Spelling[] = [
  read('timestamp', '"2026-01-31T08:00:00.123456Z"', '"2026-01-31T08:00:00.123Z"'),
  read('timestamp', '"2026-01-31T08:00:00.1239Z"', '"2026-01-31T08:00:00.123Z"'),
  read('timestamp', '"1969-12-31T23:59:59.9999Z"', '"1969-12-31T23:59:59.999Z"'),
  read('timestamp', '"2026-01-31 08:00:00.123456789Z"', '"2026-01-31T08:00:00.123Z"'),
  read('timestamp', '"2026-01-31T08:00:00.1Z"', '"2026-01-31T08:00:00.100Z"'),
  read('timestamp', '"2026-01-31T08:00Z"', '"2026-01-31T08:00:00.000Z"'),
  read('timestamp', '"2026-01-31 08:00:00"', '"2026-01-31T08:00:00.000Z"'),
  read('timestamp', '"2026-01-31"', '"2026-01-31T00:00:00.000Z"'),
  read('timestamp', '"2026-01-31T08:00:00+02"', '"2026-01-31T06:00:00.000Z"'),
  read('timestamp', '"2026-01-31T08:00:00+0200"', '"2026-01-31T06:00:00.000Z"'),
  read('timestamp', '"2026-01-31T08:00:00+02:00"', '"2026-01-31T06:00:00.000Z"'),
  read('timestamp', '"2026-01-31T08:00:00 +0200"', '"2026-01-31T06:00:00.000Z"'),
  read('timestamp', '"2026-01-31T08:00:00 UTC"', '"2026-01-31T08:00:00.000Z"'),
  read('timestamp', '"2026-01-31+0000"', '"2026-01-31T00:00:00.000Z"'),
  read('timestamp', '"2026-01-31Z"', '"2026-01-31T00:00:00.000Z"'),
  read('timestamp', '"12026-01-31T00:00:00Z"', '"+012026-01-31T00:00:00.000Z"'),
  read('timestamp', '1769846400000', '"2026-01-31T08:00:00.000Z"'),
  refusedBoth('timestamp', '1769846400000.0'),
  refusedBoth('timestamp', '"2026-01-31T08:00:00.1234567890Z"'),
  refusedBoth('timestamp', '"2026-01-31T08:00:60Z"'),
  refusedBoth('timestamp', '" 2026-01-31"'),
  refusedBoth('timestamp', '"2026/01/31"'),
  strict('timestamp', '"1769846400000"', '"2026-01-31T08:00:00.000Z"'),
  strict('timestamp', '"20260131"', '"1970-01-01T05:37:40.131Z"'),
  strict('timestamp', '"2026-01-31T08:00:00 EST"', '"2026-01-31T13:00:00.000Z"'),
  strict('timestamp', '"2026-02-30"', '"2026-02-28T00:00:00.000Z"'),
  strict('timestamp', '"2026-01-31T24:00:00Z"', '"2026-02-01T00:00:00.000Z"'),
  strict('timestamp', '"2026-01-31T08:00:00.Z"', '"2026-01-31T08:00:00.000Z"'),
  other('timestamp', '-1', null, '"1969-12-31T23:59:59.999Z"'),
  other('timestamp', '"2026-01-31t08:00:00z"', null, '"2026-01-31T08:00:00.000Z"'),
  other('timestamp', '"+012026-01-31T00:00:00.000Z"', null, '"+012026-01-31T00:00:00.000Z"'),

  read('date', '"2026-01-31"', '"2026-01-31"'),
  read('date', '"-5877641-06-23"', '"-5877641-06-23"'),
  refusedBoth('date', '"2026-1-31"'),
  refusedBoth('date', '"2026-02-30"'),
  refusedBoth('date', '20000'),
  strict('date', '"20000"', '"-5877586-03-26"'),
  other('date', '"+2026-01-31"', null, '"2026-01-31"'),

  read('time', '"08:00:00.1"', '"08:00:00.100000000"'),
  read('time', '"8:0:0"', '"08:00:00.000000000"'),
  refusedBoth('time', '"08:00"'),
  refusedBoth('time', '"24:00:00"'),
  refusedBoth('time', '"08:00:00Z"'),
  refusedBoth('time', '28800000000000'),
  strict('time', '"28800000000000"', '"08:00:00.000000000"'),
  strict('time', '" 08:00:00"', '"08:00:00.000000000"'),

  read('boolean', '"true"', 'true'),
  read('boolean', '"TRUE"', 'true'),
  read('boolean', '"False"', 'false'),
  refusedBoth('boolean', '"t"'),
  refusedBoth('boolean', '1'),
  strict('boolean', '""', 'false'),

  ...(['tinyint', 'smallint', 'int'] as const).flatMap((type) => [
    read(type, '"1"', '1'),
    read(type, '"+1"', '1'),
    read(type, '"01"', '1'),
    read(type, '"-0"', '0'),
    refusedBoth(type, '1.0'),
    refusedBoth(type, '1e2'),
    refusedBoth(type, '"2147483648"'),
    refusedBoth(type, '" 1"'),
  ]),
  strict('int', '""', 'null'),
  read('bigint', '"+9223372036854775807"', '"9223372036854775807"'),
  read('bigint', '"01"', '"1"'),
  refusedBoth('bigint', '9223372036854775808'),
  refusedBoth('bigint', '1.0'),
  read('varint', '"+1"', '"1"'),
  read('varint', '"-00"', '"0"'),
  read('varint', '123456789012345678901234567890', '"123456789012345678901234567890"'),
  refusedBoth('varint', '"1e2"'),

  read('decimal', '"1.50"', '"1.50"'),
  read('decimal', '"+1.0"', '"1.0"'),
  read('decimal', '"01.0"', '"1.0"'),
  read('decimal', '".5"', '"0.5"'),
  read('decimal', '"5."', '"5"'),
  read('decimal', '"1e3"', '"1E+3"'),
  refusedBoth('decimal', '"NaN"'),
  refusedBoth('decimal', '" 1"'),
  other('decimal', '1.50', '"1.5"', '"1.50"'),
  other('decimal', '1e3', '"1000.0"', '"1E+3"'),
  other(
    'decimal',
    '123456789012345678901234567890.123456789',
    '"1.2345678901234568E+29"',
    '"123456789012345678901234567890.123456789"',
  ),

  read('double', '"+1.0"', '1'),
  read('double', '".5"', '0.5'),
  read('double', '"5."', '5'),
  read('double', '"NaN"', '"NaN"'),
  read('double', '"-0"', '-0'),
  refusedBoth('double', '"inf"'),
  strict('double', '1e400', '"Infinity"'),
  strict('double', '"1d"', '1'),
  strict('double', '"0x1p3"', '8'),
  strict('double', '" 1 "', '1'),
  read('float', '"+1"', '1'),
  read('float', '16777217', '16777216'),
  strict('float', '1e39', '"Infinity"'),

  read('inet', '"::ffff:10.0.0.1"', '"10.0.0.1"'),
  read('inet', '"::FFFF:a00:1"', '"10.0.0.1"'),
  read('inet', '"0:0:0:0:0:ffff:a00:1"', '"10.0.0.1"'),
  read('inet', '"2001:DB8:0:0:0:0:0:1"', '"2001:db8::1"'),
  read('inet', '"::10.0.0.1"', '"::a00:1"'),
  refusedBoth('inet', '"10.0.0.256"'),
  strict('inet', '"010.0.0.1"', '"10.0.0.1"'),
  strict('inet', '"10.1"', '"10.0.0.1"'),
  strict('inet', '"10"', '"0.0.0.10"'),
  strict('inet', '"[::1]"', '"::1"'),
  strict('inet', '"fe80::1%1"', '"fe80::1"'),
  strict('inet', '"localhost"', '"127.0.0.1"'),

  read('uuid', '"550E8400-E29B-41D4-A716-446655440000"', '"550e8400-e29b-41d4-a716-446655440000"'),
  refusedBoth('uuid', '"550e8400e29b41d4a716446655440000"'),
  refusedBoth('uuid', '"{550e8400-e29b-41d4-a716-446655440000}"'),
  refusedBoth('timeuuid', '"550e8400-e29b-41d4-a716-446655440000"'),

  read('blob', '"0xCAFE"', '"0xcafe"'),
  refusedBoth('blob', '"00ff"'),
  refusedBoth('blob', '"0x0"'),
  other('blob', '"0X00"', null, '"0x00"'),

  read('duration', '"1y2mo3d4h5m6s"', '"P1Y2M3DT4H5M6S"'),
  read('duration', '"P1Y2M3DT4H5M6S"', '"P1Y2M3DT4H5M6S"'),
  read('duration', '"-1d"', '"-P1D"'),
  read('duration', '"2w"', '"P14D"'),
  refusedBoth('duration', '"1d2y"'),
  refusedBoth('duration', '"+1d"'),
  strict('duration', '"P0001-02-03T04:05:06"', '"P1Y2M3DT4H5M6S"'),
  strict('duration', '"PT"', '"PT0S"'),
  other('duration', '"PT1.5S"', null, '"PT1.5S"'),
  other('duration', '"P1Y2W"', null, '"P1Y14D"'),

  refusedBoth('text', '1'),
  refusedBoth('ascii', '"é"'),
]
