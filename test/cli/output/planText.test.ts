import { expect, test } from 'vitest'
import { asciiDrawing, boxDrawing, drawingFor, planText } from '../../../src/cli/output/planText.ts'
import type { Plan } from '../../../src/runtime/plan/plan.ts'
import type { PlanNode } from '../../../src/runtime/plan/planGraph.ts'

function node(name: string, more: Partial<PlanNode> = {}): PlanNode {
  return { id: name, role: 'operator', kind: name, name, uid: null, details: {}, onError: null, figures: [], ...more }
}

const plan: Plan = {
  job: 'orders',
  groupId: 'orders-group',
  transactionalIdPrefix: 'orders',
  sources: [],
  sinks: [],
  followers: [],
  nodes: [
    node('fromKafka', { details: { topic: 'in' } }),
    node('decodeJson', { onError: 'dead-letters' }),
    node('count', { kind: 'mapWithState', uid: 'count-1' }),
    node('out', { kind: 'toKafkaTransactional', details: { topic: 'out' } }),
    node('dead', { kind: 'toKafkaTransactional', details: { topic: 'dlq' } }),
    node('side output dead-letters', { role: 'side output', kind: 'sideOutput', name: 'dead-letters' }),
  ],
  edges: [
    { from: 'fromKafka', to: 'decodeJson' },
    { from: 'decodeJson', to: 'count' },
    { from: 'decodeJson', to: 'out' },
    { from: 'count', to: 'out' },
    { from: 'out', to: 'pipeline 1' },
    { from: 'decodeJson', to: 'side output dead-letters' },
    { from: 'side output dead-letters', to: 'dead' },
    { from: 'dead', to: 'pipeline 2' },
  ],
  ports: [],
  stateful: true,
  copartitioned: true,
  longestWaitMs: 0,
  warnings: [],
}

test('a plan is drawn as a tree for each source and side output, each step in full once', () => {
  expect(planText(plan, boxDrawing)).toEqual([
    'job orders',
    '  consumer group orders-group, transactional ids orders-…',
    '  keeps state, uses no other system',
    '',
    'fromKafka topic=in',
    '└─ decodeJson errors → dead-letters',
    '   ├─ count (mapWithState) uid=count-1',
    '   │  └─ out (toKafkaTransactional) topic=out',
    '   └─ out (drawn above)',
    '',
    'side output dead-letters',
    '└─ dead (toKafkaTransactional) topic=dlq',
  ])
})

test('in ASCII, no other character is drawn', () => {
  expect(planText(plan, asciiDrawing).join('')).toMatch(/^[\x20-\x7e]*$/)
})

test('a step that fed itself would not be drawn for ever', () => {
  const circle = { ...plan, edges: [...plan.edges, { from: 'out', to: 'decodeJson' }] }
  expect(planText(circle, asciiDrawing).join('\n')).toContain('decodeJson (drawn above)')
})

test('box characters need a terminal with a UTF-8 locale', () => {
  expect(drawingFor(true, { LANG: 'en_US.UTF-8' })).toBe(boxDrawing)
  expect(drawingFor(true, { LANG: 'en_US.UTF-8', LC_ALL: 'C' })).toBe(asciiDrawing)
  expect(drawingFor(true, {})).toBe(asciiDrawing)
  expect(drawingFor(false, { LANG: 'en_US.UTF-8' })).toBe(asciiDrawing)
})
