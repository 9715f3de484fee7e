import { TidemarkError } from '../../src/core/errors.ts'
import type { NewTopic } from './kafkaWire.ts'

/** The topics of a file as deploy/topics.txt: a line each, name, partitions, then `key=value` settings. */
export function parseTopics(text: string): readonly NewTopic[] {
  return text.split('\n').flatMap((line, index) => {
    const [name, count, ...settings] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (name === undefined || name === '') return []
    const pairs = settings.map((setting) => [setting, setting.indexOf('=')] as const)
    if (!/^[1-9]\d{0,4}$/.test(count ?? '') || pairs.some(([, equals]) => equals < 1)) {
      throw new TidemarkError(
        'invalid-input',
        `Topics, line ${String(index + 1)}: expected a name, a number of partitions and key=value settings, such as "input-topic 4 retention.ms=60000", not "${line.trim()}"`,
      )
    }
    const config = Object.fromEntries(pairs.map(([pair, at]) => [pair.slice(0, at), pair.slice(at + 1)]))
    return [{ name, partitions: Number(count), config }]
  })
}

/** A comment, a quoted text or name (a quote inside is written twice), the end of a statement, or one other character. */
const cqlToken = /--.*|\/\/.*|\/\*[^]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$[^]*?\$\$|;|[^]/g

/** The statements of a CQL file, without comments; a semicolon in a text or a comment ends none. */
export function splitCql(text: string): readonly string[] {
  const statements = ['']
  for (const [token] of text.matchAll(cqlToken)) {
    if (token === ';') statements.push('')
    else if (/^(?:--|\/\/|\/\*)/.test(token)) statements.push(`${statements.pop() ?? ''} `)
    else statements.push(`${statements.pop() ?? ''}${token}`)
  }
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== '')
}
