/** The codes of an entry that is taken when it is put again (EventBridge API reference, PutEventsResultEntry). */
export type EntryRefusal = 'ThrottlingException' | 'InternalFailure';

/** Asked wherever something may go wrong on a bus. */
export interface BusFaults {
  /** Asked about every entry of a PutEvents: with which code EventBridge refuses it. */
  refusal?(busName: string, detailType: string): EntryRefusal | undefined;
  /** The copies of an event that one of its targets gets: how many milliseconds late each of them is. */
  copies?(busName: string, detailType: string): readonly number[] | undefined;
  /** How many milliseconds after it has done its work a PutEvents is answered. */
  answerMs?(): number | undefined;
}
