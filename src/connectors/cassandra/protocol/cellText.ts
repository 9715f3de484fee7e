import type { CqlType } from '../../../tables/cqlType.ts'
import { columnConversion } from '../../../tables/valueCodec.ts'
import { byteDecoder, hasEmptyValue } from './valueBytes.ts'

/**
 * Compiles how cells of a column become canonical texts. `unfit` makes the error of a cell that has none: of bytes that are
 * not of the type, or of a value of it that the row encoding does not hold.
 */
export function cellText(
  type: CqlType,
  unfit: (cell: Buffer, isOfType: boolean) => Error,
): (cell: Buffer | null) => string {
  const convert = columnConversion(type)
  const decode = byteDecoder(type)
  const keepsEmpty = hasEmptyValue(type)
  return (cell) => {
    if (cell === null || (cell.length === 0 && !keepsEmpty)) return 'null'
    let value: unknown
    try {
      value = decode(cell)
    } catch (error) {
      throw error instanceof RangeError ? unfit(cell, false) : error
    }
    const text = convert(value)
    if (text === undefined) throw unfit(cell, true)
    return text
  }
}
