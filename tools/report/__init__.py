"""Reports of campaigns: ``report.json``, ``report.html``, and a table for the terminal."""

from .build import campaign_costs, campaign_report
from .html import ReportFiles, report_html, report_json, write_report
from .model import CampaignReport, CycleReport
from .table import report_table

__all__ = [
    "CampaignReport",
    "CycleReport",
    "ReportFiles",
    "campaign_costs",
    "campaign_report",
    "report_html",
    "report_json",
    "report_table",
    "write_report",
]
