import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sampleTables } from '../../jobs/reconcile/sampleTables.ts'
import { reconcileSettings } from '../../jobs/reconcile/settings.ts'
import { parseTopics, splitCql } from './schemaFiles.ts'

const deploy = (file: string): string => readFileSync(join(import.meta.dirname, '../../deploy', file), 'utf8')
const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('( ', '(').replaceAll(' )', ')')

describe('a file of topics', () => {
  it('names partitions and settings, with comments and blank lines between', () => {
    const text = '# all\n\na 3\n b.c_d-1\t12 retention.ms=60000 cleanup.policy=compact,delete # last\n'
    expect(parseTopics(text)).toEqual([
      { name: 'a', partitions: 3, config: {} },
      { name: 'b.c_d-1', partitions: 12, config: { 'retention.ms': '60000', 'cleanup.policy': 'compact,delete' } },
    ])
  })

  it.each(['a', 'a x', 'a 0', 'a -1', 'a 3 retention', 'a 3 =5', 'a 1e3'])(
    'is refused with the line for %j',
    (line) => {
      expect(() => parseTopics(`ok 1\n${line}`)).toThrow('Topics, line 2')
    },
  )

  it('of the deployment has the topics of the jobs', () => {
    const names = parseTopics(deploy('topics.txt')).map(({ name }) => name)
    const topics = ['reconcile.input.topic', 'reconcile.output.topic', 'reconcile.dlq.topic'] as const
    expect(names).toEqual([...topics.map((key) => reconcileSettings[key].default?.value), 'user-events'])
  })
})

describe('a file of CQL', () => {
  it('is split at semicolons that end statements, and at no others', () => {
    const text = `
      -- first; not a statement
      CREATE TABLE "odd;name" (a int PRIMARY KEY); // and; this
      INSERT INTO t (a) VALUES ('it''s; one');/* two; three
      four; */ SELECT $$;$$ FROM t
    `
    expect(splitCql(text).map(plain)).toEqual([
      'CREATE TABLE "odd;name" (a int PRIMARY KEY)',
      "INSERT INTO t (a) VALUES ('it''s; one')",
      'SELECT $$;$$ FROM t',
    ])
  })

  it('of the deployment makes the tables that the sample messages name', () => {
    const statements = splitCql(deploy('tables.cql')).map(plain)
    for (const { keyspace, table, columns, primaryKey } of sampleTables) {
      const [partition, clustering] = primaryKey
      const key = [`(${partition.join(', ')})`, ...clustering].join(', ')
      const listed = Object.entries(columns).map(([name, type]) => `${name} ${type}, `)
      expect(statements).toContain(
        `CREATE TABLE IF NOT EXISTS ${keyspace}.${table} (${listed.join('')}PRIMARY KEY (${key}))`,
      )
      expect(statements.join('\n')).toContain(`CREATE KEYSPACE IF NOT EXISTS ${keyspace} `)
    }
  })
})
