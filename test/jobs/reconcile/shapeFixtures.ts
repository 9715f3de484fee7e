import { record, runJob, type JobRun, type TestItem } from 'tidemark/testing'
import job from '../../../jobs/reconcile.ts'

export const shapes = ['action', 'single-key', 'composite', 'sql'] as const
export const versions = ['v1', 'v2'] as const
export type Version = (typeof versions)[number]

/** A primary key of one column, which is not called `pk`. */
const customers = {
  keyspace: 'ks1',
  table: 'customers',
  columns: { customer_id: 'bigint', name: 'text', balance: 'decimal', seen: 'timestamp' },
  primaryKey: [['customer_id'], []],
  rows: [
    { customer_id: '123', name: 'Zoë', balance: '10.50', seen: '2026-01-31T08:00:00Z' },
    { customer_id: '9007199254740993', name: 'beyond doubles' },
  ],
}

/** A composite key, whose order is neither that of the messages nor that of the alphabet. */
const users = {
  keyspace: 'ks1',
  table: 'users',
  columns: { user_id: 'text', region: 'text', name: 'text', age: 'int' },
  primaryKey: [['user_id'], ['region']],
  rows: [
    { user_id: '123', region: 'us-east', name: 'alice', age: 30 },
    { user_id: '124', region: 'us-east', name: 'bob', age: 41 },
  ],
}

export const tables = [customers, users]

export interface Case {
  readonly what: string
  readonly value: string | null
  readonly key?: string
  readonly action: 'NONE' | 'INSERT' | 'UPDATE' | 'DELETE'
}

const one = (pk: string, payload: string): string =>
  `{"keyspace":"ks1","tableName":"customers","pk":${pk},"payload":${payload}}`

const many = (primaryKey: string, payload: string): string =>
  `{"keyspace":"ks1","tableName":"users","primaryKey":${primaryKey},"payload":${payload}}`

/** One message of each action in each version of the input, and what makes a naive job change bytes. */
export const cases: Readonly<Record<Version, readonly Case[]>> = {
  v1: [
    { what: 'equal', value: one('"123"', '{"name":"Zo\\u00eb","balance":10.50}'), action: 'NONE' },
    { what: 'different', value: one('123', '{ "name": "Zoe", "id": 9007199254740993 }'), action: 'UPDATE' },
    { what: 'a key beyond 2^53', value: one('9007199254740993', '{"name":"beyond doubles"}'), action: 'NONE' },
    { what: 'no such row', value: one('"7"', '{"b":1,"a":1.0,"2":[1e2]}'), action: 'INSERT' },
    { what: 'to be deleted', value: one('"123"', 'null'), action: 'DELETE' },
    { what: 'deleted already', value: one('"7"', 'null'), action: 'NONE' },
    {
      what: 'a tombstone',
      key: '{"keyspace":"ks1","tableName":"customers","pk":"123"}',
      value: null,
      action: 'DELETE',
    },
  ],
  v2: [
    { what: 'equal', value: many('{"region":"us-east","user_id":"123"}', '{"age":"30"}'), action: 'NONE' },
    {
      what: 'different',
      value: many('{"user_id":"124","region":"us-east"}', '{"name":"bob","age":42}'),
      action: 'UPDATE',
    },
    {
      what: 'no such row',
      value: many('{"user_id":"125","region":"eu-west"}', '{"name":"carol\\/","age":22}'),
      action: 'INSERT',
    },
    { what: 'to be deleted', value: many('{"user_id":"124","region":"us-east"}', 'null'), action: 'DELETE' },
    { what: 'deleted already', value: many('{"user_id":"125","region":"us-east"}', 'null'), action: 'NONE' },
    {
      what: 'a tombstone',
      key: '{"keyspace":"ks1","tableName":"users","primaryKey":{"user_id":"124","region":"us-east"}}',
      value: null,
      action: 'DELETE',
    },
  ],
}

/** When the first message was written; each next one a second later. */
export const firstTimestamp = Date.UTC(2026, 0, 31, 8)

/** The messages of one version as records of the input topic. */
export function messages(version: Version): readonly TestItem[] {
  return cases[version].map(({ value, key }, index) =>
    record(value, { key: key ?? null, timestamp: firstTimestamp + index * 1_000 }),
  )
}

/** Runs the job over some messages, in their order. */
export function reconcile(
  items: readonly TestItem[],
  settings: Readonly<Record<string, string>> = {},
): Promise<JobRun> {
  return runJob(job, {
    topics: { 'input-topic': items },
    tables,
    settings: { 'reconcile.wait': 'ordered', ...settings },
  })
}
