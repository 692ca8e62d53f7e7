//! What the request log says when everything has ended.

use std::collections::HashMap;

use gemini_balance::store::log_pages::{LogEntry, LogFilter, PAGE_ROWS_MAX};

use crate::support::Gateway;

impl Gateway {
    /// Every row, oldest first, once nothing is under way.
    pub(crate) async fn rows(&self) -> Vec<LogEntry> {
        self.idle().await;
        let app = self.app();
        app.journal.flush().await.unwrap();
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let page = app.store.log_page(LogFilter::ALL, cursor, PAGE_ROWS_MAX).await.unwrap();
            rows.extend(page.rows);
            cursor = page.next;
            if cursor.is_none() {
                rows.reverse();
                return rows;
            }
        }
    }

    /// The last row of each request, oldest first.
    pub(crate) async fn final_rows(&self) -> Vec<LogEntry> {
        self.rows().await.into_iter().filter(|row| row.is_final).collect()
    }

    /// The last row of the only request.
    pub(crate) async fn only_final_row(&self) -> LogEntry {
        let mut rows = self.final_rows().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }
}

/// Checks that each request has its attempts in order and that exactly the last one is final.
pub(crate) fn check_rows(rows: &[LogEntry]) {
    let mut requests: HashMap<_, Vec<&LogEntry>> = HashMap::new();
    for row in rows {
        requests.entry(row.request_id).or_default().push(row);
    }
    for attempts in requests.values_mut() {
        attempts.sort_by_key(|row| row.attempt);
        let finals: Vec<bool> = attempts.iter().map(|row| row.is_final).collect();
        let is_last = |at: usize| at + 1 == finals.len();
        assert!(finals.iter().enumerate().all(|(at, flag)| *flag == is_last(at)), "{attempts:?}");
        let numbers: Vec<u16> = attempts.iter().map(|row| row.attempt).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{attempts:?}");
    }
}
