/** The table drafts are filed in. Named here once, so that every message about it says the same. */
export const contentTable = 'Content';

const contentFields = [
  'Task ID (single line text)',
  'Title (single line text)',
  'Body (long text)',
  'Status (single select with the option Draft)',
  'Platform (single select with the options LinkedIn and Newsletter)',
];

/** How to mend a missing table or field. */
export function tableHint(table: string): string {
  if (table.toLowerCase() !== contentTable.toLowerCase())
    return 'airtable table list   (shows the tables and fields there are; names must match exactly)';
  return `in Airtable, the table ${contentTable} needs these fields, spelt exactly so: ${contentFields.join(', ')}`;
}
