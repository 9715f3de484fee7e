import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../src/tables/duration.ts'

const counts = fc.tuple(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1), fc.bigInt(0n, 2n ** 63n - 1n), fc.boolean())

describe('formatDuration', () => {
  property.prop([counts])('loses none of the three counts', ([months, days, nanoseconds, isNegative]) => {
    const duration = isNegative
      ? { months: 0 - months, days: 0 - days, nanoseconds: -nanoseconds }
      : { months, days, nanoseconds }
    expect(parseDuration(formatDuration(duration))).toEqual(duration)
  })

  test('reads ISO 8601 and the spelling of Cassandra', () => {
    const expected = { months: 14, days: 17, nanoseconds: 14_706_007_008_009n }
    expect(parseDuration('P1Y2M2W3DT4H5M6.007008009S')).toEqual(expected)
    expect(parseDuration('1y2mo2w3d4h5m6s7ms8us9ns')).toEqual(expected)
    expect(parseDuration('1Y2MO2W3D4H5M6S7MS8µs9NS')).toEqual(expected)
    expect(formatDuration(expected)).toBe('P1Y2M17DT4H5M6.007008009S')
  })
})
