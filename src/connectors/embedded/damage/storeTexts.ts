import type { StoreReportPart } from '../../../core/ports/storeCare.ts'
import type { SalvagedPartition, SalvagedTable, SalvageReport } from './salvageStore.ts'
import type { SurveyedTopic } from './surveyStore.ts'
import { displayDamage, type StoreInspection } from './verifyStore.ts'

/** The store of a data directory, as it was read. */
export interface InspectedDirectory {
  /** The LevelDB directory. */
  readonly log: string
  readonly inspection: StoreInspection
  /** A sentence without its full stop; null: the directory's marker is whole. */
  readonly markerDamage: string | null
}

/** One sentence each. */
export function damageTexts({
  log,
  markerDamage,
  inspection: { fileDamages, survey },
}: InspectedDirectory): readonly string[] {
  return [
    ...(markerDamage === null ? [] : [markerDamage]),
    ...fileDamages.map((damage) => displayDamage(damage, log)),
    ...survey.damages,
  ]
}

/** What is in a store. */
export function contentParts({ log, inspection }: InspectedDirectory): readonly StoreReportPart[] {
  const { fileCount, findings, survey, unfinished } = inspection
  return [
    `Read ${String(fileCount)} files with ${String(findings.bytes)} bytes in ${log}: store format ${survey.format ?? 'unknown'}, ${String(survey.offsets.length)} committed positions`,
    ...(survey.wiping ? ['The store was being cleared: whoever opens it finishes that.'] : []),
    ...(unfinished === null
      ? []
      : [
          `A write was being made when its process ended (${displayDamage(unfinished, log)}). It was not acknowledged, and is left out.`,
        ]),
    { heads: ['TOPIC', 'PARTITION', 'OFFSETS'], rows: survey.topics.flatMap((topic) => topicRows(topic)) },
    {
      heads: ['TABLE', 'ROWS'],
      rows: survey.tables.map(({ keyspace, table, rows }) => [`${keyspace}.${table}`, String(rows)]),
    },
  ]
}

function topicRows({ name, partitions }: SurveyedTopic): readonly (readonly string[])[] {
  return partitions.map(({ batches, missing, end }, partition) => {
    const lost = batches.filter(({ isLost }) => isLost)
    const without = [...missing, ...lost].map(spanText)
    return [
      name,
      String(partition),
      end === 0
        ? 'none'
        : `${spanText({ first: 0, last: end - 1 })}${without.length === 0 ? '' : ` without ${without.join(', ')}`}`,
    ]
  })
}

/** What was copied, and what was not. */
export function salvageParts(report: SalvageReport): readonly StoreReportPart[] {
  return [
    { heads: ['TOPIC', 'PARTITION', 'END', 'LOST'], rows: report.partitions.map(partitionRow) },
    { heads: ['TABLE', 'COPIED AS', 'ROWS', 'LOST'], rows: report.tables.map(tableRow) },
    ...(report.namesMayBeMissing
      ? ['Topics or tables that are not listed may have been there: what names them may be lost as well.']
      : []),
    `${String(report.offsets)} committed positions`,
    ...(report.positionsMayBeOlder
      ? ['Positions may be missing, or older than they were: a job may write outputs a second time.']
      : []),
  ]
}

function partitionRow({ topic, partition, end, lost, emptied, mayBeShorter }: SalvagedPartition): readonly string[] {
  const what = [
    ...(emptied ? ['all: a changelog is of use only as a whole'] : lost.map(spanText)),
    ...(mayBeShorter ? ['perhaps behind the end'] : []),
  ]
  return [topic, String(partition), String(end), what.length === 0 ? 'nothing' : what.join(', ')]
}

function tableRow({ keyspace, table, copiedAs, rows, damagedRows }: SalvagedTable): readonly string[] {
  const lost = copiedAs === table ? 'nothing' : `${String(damagedRows)} rows, and perhaps others`
  return [`${keyspace}.${table}`, `${keyspace}.${copiedAs}`, String(rows), lost]
}

function spanText({ first, last }: { readonly first: number; readonly last: number }): string {
  return first === last ? String(first) : `${String(first)}–${String(last)}`
}
