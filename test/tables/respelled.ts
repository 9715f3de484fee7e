import { fc } from '@fast-check/vitest'
import type { CqlType } from '../../src/tables/cqlType.ts'
import { parseIpv6 } from '../../src/tables/inet.ts'

/** Other spellings of a canonical text's JSON value, all of which mean the same value of the type. */
export function respelled(type: CqlType, value: unknown): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'native':
      return fc.constantFrom(value, ...nativeSpellings(type.name, value))
    case 'list':
    case 'vector':
      return fc.tuple(...(value as readonly unknown[]).map((element) => respelled(type.element, element)))
    case 'set':
      // In any order, and an element twice.
      return fc
        .tuple(...(value as readonly unknown[]).flatMap((one) => [one, one]).map((one) => respelled(type.element, one)))
        .chain((elements) => fc.shuffledSubarray(elements, { minLength: elements.length }))
    case 'map': {
      const pairs = Array.isArray(value) ? (value as [unknown, unknown][]) : Object.entries(value as object)
      return fc
        .tuple(...pairs.map(([key, entry]) => fc.tuple(respelled(type.key, key), respelled(type.value, entry))))
        .chain((entries) => fc.shuffledSubarray(entries, { minLength: entries.length }))
    }
    case 'tuple':
      return fc.tuple(
        ...type.elements.map((element, at) => {
          const one = (value as readonly unknown[])[at]
          return one === null || one === undefined ? fc.constant(null) : respelled(element, one)
        }),
      )
    case 'udt':
      return fc
        .tuple(
          ...type.fields.map((field) => {
            const one = (value as Readonly<Record<string, unknown>>)[field.name]
            const spelled = one === null || one === undefined ? fc.constant(null) : respelled(field.type, one)
            return spelled.map((spelling) => [field.name, spelling] as const)
          }),
        )
        .map((fields) => Object.fromEntries(fields))
  }
}

function nativeSpellings(name: string, value: unknown): readonly unknown[] {
  const text = String(value)
  switch (name) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'varint': {
      const digits = text.replace('-', '')
      const sign = text.startsWith('-') ? '-' : '+'
      return [text, `${sign}${digits}`, `${sign === '-' ? '-' : ''}00${digits}`]
    }
    case 'boolean':
      return [text, text.toUpperCase()]
    case 'blob':
      return [`0x${text.slice(2).toUpperCase()}`]
    case 'uuid':
    case 'timeuuid':
      return [text.toUpperCase()]
    case 'float':
    case 'double':
      return /^-?\d+$/.test(text) ? [text, `${text}.0`, `${text}.`] : [text]
    case 'decimal':
      return /^\d/.test(text) ? [`+${text}`, `0${text}`] : []
    case 'time':
      return [text.replace(/0+$/, '').replace(/\.$/, ''), text.replace(/^0/, '')]
    case 'timestamp':
      return /^\d{4}-/.test(text)
        ? [Date.parse(text), text.replace('Z', '999Z'), text.replace('T', ' '), text.replace('Z', '+0000')]
        : []
    case 'inet':
      return inetSpellings(text)
    default:
      return []
  }
}

function inetSpellings(text: string): readonly string[] {
  if (!text.includes(':')) return [`::ffff:${text}`, `0:0:0:0:0:FFFF:${text}`]
  const groups = parseIpv6(text) ?? []
  return [text.toUpperCase(), groups.map((group) => group.toString(16).padStart(4, '0')).join(':')]
}
