import { defineJob } from 'tidemark'
import reconcile from '../../../jobs/reconcile.ts'

/** Another job that was given the transactional ids of reconcile. */
export default defineJob({ ...reconcile, name: 'twin' })
